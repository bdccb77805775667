/** Steps that several workflows share: network, primary route, start, waiting until it is healthy. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, toBerthError } from '#domain/errors.ts';
import type { RouteId } from '#domain/ids.ts';
import { makeId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { GuestSpec, HealthReport } from '#drivers/interface.ts';
import { type Trx, transact } from '../store/database.ts';
import { findInstance, type InstanceRecord } from '../store/instances.ts';
import { projectNetwork, recordHealth, recordObservation } from '../store/observations.ts';
import { deleteRoute, routesOfInstance, tryInsertRoute } from '../store/routes.ts';
import type { Step, StepContext } from './engine.ts';
import { primaryHostnames } from './hostnames.ts';
import type { Services } from './services.ts';

/** Port that a server's primary route leads to. */
export const SERVER_PRIMARY_PORT = 80;

/** The instance this operation is about. Errors: gone. */
export async function instanceOf(context: Pick<StepContext, 'services' | 'operation'>): Promise<InstanceRecord> {
  const { instance } = context.operation;
  const found = instance === null ? null : await findInstance(context.services.db, instance);
  if (found === null) throw new BerthError('gone', 'The instance is no longer there.');
  return found;
}

/** What the driver is asked to create. Errors: conflict while the image is not known. */
export function guestSpec(context: StepContext, instance: InstanceRecord): GuestSpec {
  if (instance.imageFingerprint === null) throw new BerthError('conflict', 'The image is not known yet.');
  return {
    instance: instance.id,
    project: instance.project,
    operation: context.operation.id,
    kind: instance.kind,
    hostname: instance.name,
    imageFingerprint: instance.imageFingerprint,
    size: instance.size,
    address4: instance.address4,
    address6: instance.address6,
  };
}

/** Looks at the engine and writes down what is there. */
export async function look(services: Services, instance: InstanceRecord) {
  const at = services.now();
  const seen = await services.driver.observe(instance.id);
  await recordObservation(services.db, instance.id, seen, at);
  return seen;
}

/** No undo: the network belongs to the project and stays, others may be on it. */
export const networkStep: Step = {
  name: 'network',
  title: 'Prepare the network',
  async do(context) {
    const instance = await instanceOf(context);
    const network = await projectNetwork(context.services.db, instance.project);
    if (network === null) throw new BerthError('gone', 'The project is no longer there.');
    const { subnet4, subnet6 } = network;
    await context.services.driver.ensureNetwork({ project: instance.project, subnet4, subnet6 }, true);
  },
};

/** Makes the platform address of an instance if it has none; returns its host name. */
export async function ensurePrimaryRoute(services: Services, tx: Trx, instance: InstanceRecord): Promise<string> {
  const present = (await routesOfInstance(tx, instance.id)).find((route) => route.primary);
  if (present !== undefined) return present.hostname;
  const network = await projectNetwork(tx, instance.project);
  const id = makeId('rte', services.now(), services.random) as RouteId;
  const candidates = primaryHostnames(services.domain, instance.name, network?.name ?? 'project', instance.id);
  for (const hostname of candidates) {
    const taken = await tryInsertRoute(
      tx,
      {
        id,
        organization: instance.organization,
        project: instance.project,
        instance: instance.id,
        hostname,
        path: '/',
        redirect: null,
        domain: null,
        rules: {},
        target: instance.kind === 'desktop' ? 'screen' : 'port',
        port: instance.kind === 'desktop' ? null : SERVER_PRIMARY_PORT,
        visibility: 'private',
        primary: true,
        enabled: true,
      },
      services.now(),
    );
    if (taken) return hostname;
  }
  throw new BerthError('name_taken', `Every address made from the name ${instance.name} is taken.`);
}

export const routeStep: Step = {
  name: 'route',
  title: 'Give it an address',
  async do(context) {
    const instance = await instanceOf(context);
    const hostname = await transact(context.services.db, (tx) => ensurePrimaryRoute(context.services, tx, instance));
    context.report(100, hostname);
  },
  async undo({ services, operation }) {
    if (operation.instance === null) return;
    const routes = await routesOfInstance(services.db, operation.instance);
    await transact(services.db, async (tx) => {
      for (const route of routes) if (route.primary) await deleteRoute(tx, route);
    });
  },
};

/** No undo where this is used: the guest's own undo stops or removes it. */
export const startStep: Step = {
  name: 'start',
  title: 'Start it',
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const at = services.now();
    // What runs already is answered as it is. Only what is paused is not started but resumed.
    const started = await services.driver.power(instance.id, 'start', {}).catch(async (error: unknown) => {
      const seen = await look(services, instance);
      if (seen === null) throw new BerthError('gone', 'The guest disappeared from the engine.');
      if (seen.state !== 'paused') throw error;
      return services.driver.power(instance.id, 'resume', {});
    });
    await recordObservation(services.db, instance.id, started, at);
  },
};

/** Waits for the first good health report; polls fast at first so that a quick boot is seen quickly. No undo: it only looks. */
export const healthyStep: Step = {
  name: 'healthy',
  title: 'Wait until it answers',
  // One attempt: the deadline is the bound, and trouble with asking is waited out inside.
  attempts: 1,
  async do(context) {
    const instance = await instanceOf(context);
    await waitHealthy(context, instance.kind, instance);
  },
};

/** A guest boots in about a second: the pauses grow slowly so that its first answer is not slept through. */
const POLL_GROWTH = 1.05;

async function waitHealthy(context: StepContext, kind: InstanceKind, instance: InstanceRecord): Promise<void> {
  const { services } = context;
  const { timing } = services;
  const deadline = services.now() + timing.healthyDeadlineMs[kind];
  let pause = timing.healthyPollFirstMs;
  let last = 'no answer yet';
  for (;;) {
    const at = services.now();
    try {
      const report = await services.driver.health(instance.id);
      await recordHealth(services.db, instance.id, report, at);
      if (isUsable(report)) return;
      last = describe(report);
    } catch (cause) {
      const error = toBerthError(cause);
      if (error.code === 'not_found') throw cause;
      last = error.message;
    }
    if (services.now() >= deadline) {
      throw new BerthError('timeout', `It did not become healthy in time (${last}).`);
    }
    context.report(null, last);
    await sleep(pause);
    pause = Math.min(timing.healthyPollMaxMs, pause * POLL_GROWTH);
  }
}

/** Degraded is usable: something optional (or one unit inside) is not well, and the page says which. */
function isUsable(report: HealthReport): boolean {
  return report.state === 'healthy' || report.state === 'degraded';
}

function describe(report: HealthReport): string {
  const open = report.checks.filter((check) => !check.optional && check.state !== 'healthy');
  return open.length === 0
    ? report.state
    : open.map((check) => `${check.name}: ${check.message || check.state}`).join('; ');
}
