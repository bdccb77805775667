/** Looking inside a running instance: its logs. Answered by the engine, kept nowhere. */
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { instanceAbility } from '#domain/instances.ts';
import { findInstance } from '#server/store/instances.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export type LogLine = { ts: string; unit: string; priority: number; message: string };

export async function readLogs(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  query: {
    lines: number;
    search?: string | undefined;
    unit?: string | undefined;
    since?: string | undefined;
    of?: string | undefined;
  },
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
    ...(query.of === undefined ? {} : { of: query.of }),
  });
}
