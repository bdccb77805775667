/** Looking inside a running instance: its journal and the containers it runs. Answered by the engine, kept nowhere. */
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { instanceAbility } from '#domain/instances.ts';
import { findInstance } from '#server/store/instances.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export type LogLine = { ts: string; unit: string; priority: number; message: string };
export type ContainerLine = { id: string; name: string; image: string; state: string; status: string; ports: string };

export async function readLogs(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  query: { lines: number; search?: string | undefined; unit?: string | undefined; since?: string | undefined },
): Promise<LogLine[]> {
  const proof = await authorize(app, caller, 'instance.logs', { kind: 'instance', id });
  const instance = await findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  const able = instanceAbility('logs', instance.kind, { ...instance, busyWith: null });
  if (able !== true) throw new BerthError('state_conflict', able);
  return app.services.driver.logs(proof.id, {
    lines: query.lines,
    ...(query.search === undefined || query.search === '' ? {} : { search: query.search }),
    ...(query.unit === undefined ? {} : { unit: query.unit }),
    ...(query.since === undefined ? {} : { sinceIso: query.since }),
  });
}

/** Empty for desktops, for what does not run, and when no Docker Engine runs inside. */
export async function listContainers(app: AppContext, caller: Caller, id: InstanceId): Promise<ContainerLine[]> {
  const proof = await authorize(app, caller, 'instance.inspect', { kind: 'instance', id });
  const instance = await findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  if (instance.phase !== 'ready' || instance.observed !== 'running') return [];
  return app.services.driver.innerContainers(proof.id);
}
