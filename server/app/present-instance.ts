/** An instance as people see it: one word of state, what they may do and why not, its address, what is changing it. */
import type { Instance } from '#contract/instances.ts';
import { type Action, type Holding, holdingMay } from '#domain/authz.ts';
import {
  type Ability,
  displayState,
  type InstanceFacts,
  type InstanceVerb,
  instanceAbility,
  instanceVerbs,
} from '#domain/instances.ts';
import type { InstanceView } from '#server/store/instances.ts';
import { roleRefusal } from './abilities.ts';
import type { AppContext } from './context.ts';

/** The right that each verb needs. */
export const verbAction: Record<InstanceVerb, Action> = {
  start: 'instance.power',
  stop: 'instance.power',
  restart: 'instance.power',
  pause: 'instance.power',
  resume: 'instance.power',
  rename: 'instance.update',
  resize: 'instance.update',
  snapshot: 'instance.snapshot',
  rollback: 'instance.rollback',
  backup: 'backup.create',
  overwrite: 'backup.restore',
  clone: 'instance.create',
  transfer: 'instance.archive',
  archive: 'instance.archive',
  restore: 'instance.archive',
  purge: 'instance.purge',
  screen: 'instance.open',
  terminal: 'instance.terminal',
  ssh: 'instance.ssh',
  logs: 'instance.logs',
  files: 'file.open',
  stacks: 'stack.open',
  route: 'route.create',
  forward: 'forward.create',
  share: 'grant.update',
};

const HTTPS_PORT = 443;

/** Address of a host name on the user plane. */
export function publicUrl(config: AppContext['config'], hostname: string): string {
  const { https } = config.ports;
  return https === HTTPS_PORT ? `https://${hostname}` : `https://${hostname}:${https}`;
}

export function factsOf(instance: InstanceView): InstanceFacts {
  return {
    phase: instance.phase,
    desired: instance.desired,
    observed: instance.observed,
    health: instance.health,
    busyWith: instance.busyWith?.title ?? null,
    protected: instance.protected,
  };
}

function abilities(instance: InstanceView, holding: Holding): Record<InstanceVerb, Ability> {
  const facts = factsOf(instance);
  return Object.fromEntries(
    instanceVerbs.map((verb) => [
      verb,
      holdingMay(holding, verbAction[verb]) ? instanceAbility(verb, instance.kind, facts) : roleRefusal(holding.role),
    ]),
  ) as Record<InstanceVerb, Ability>;
}

/** `holding` is that of the person asking. Where it runs and who else is about is for those who may look into it. */
export function presentInstance(app: Pick<AppContext, 'config'>, instance: InstanceView, holding: Holding): Instance {
  const inside = holdingMay(holding, 'instance.inspect');
  const living = inside && (instance.phase === 'creating' || instance.phase === 'ready');
  return {
    id: instance.id,
    project: instance.project,
    kind: instance.kind,
    name: instance.name,
    description: instance.description,
    state: displayState(factsOf(instance)),
    phase: instance.phase,
    desired: instance.desired,
    observed: instance.observed,
    observedAt: instance.observedAt?.toISOString() ?? null,
    health: instance.health,
    healthChecks: instance.healthChecks,
    drift: instance.drift,
    size: instance.size,
    usage: {
      memoryBytes: instance.usage.memoryBytes ?? null,
      diskBytes: instance.usage.diskBytes ?? null,
      processes: instance.usage.processes ?? null,
    },
    image: { name: instance.imageName, fingerprint: instance.imageFingerprint },
    url: instance.primaryHostname === null ? null : publicUrl(app.config, instance.primaryHostname),
    address4: living ? instance.address4 : null,
    address6: living ? instance.address6 : null,
    host:
      !inside || instance.host === null || instance.hostName === null
        ? null
        : { id: instance.host, name: instance.hostName },
    protected: instance.protected,
    createdBy: instance.createdByName,
    createdAt: instance.createdAt.toISOString(),
    startedAt: instance.startedAt?.toISOString() ?? null,
    archivedAt: instance.archivedAt?.toISOString() ?? null,
    purgeAt: instance.purgeAt?.toISOString() ?? null,
    operation:
      !inside || instance.operation === null || instance.busyWith === null
        ? null
        : {
            id: instance.operation,
            title: instance.busyWith.title,
            step: instance.busyWith.step,
            percent: instance.busyWith.percent,
          },
    version: instance.version,
    can: abilities(instance, holding),
  };
}
