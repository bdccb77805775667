/**
 * Rename: the host name inside first, then, in one transaction, the name and the platform address. Whoever takes the name
 * meanwhile wins; then the host name inside goes back.
 */
import { transact } from '../store/database.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { projectNetwork } from '../store/observations.ts';
import { hostnameTaken, moveRoutes, routesOfInstance } from '../store/routes.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { instanceOf } from './guest-steps.ts';
import { primaryHostnames } from './hostnames.ts';

export type RenameInput = { from: string; to: string };

const guestStep: Step<RenameInput> = {
  name: 'guest',
  title: 'Change the host name inside',
  async do(context) {
    const instance = await instanceOf(context);
    await context.services.driver.setHostname(instance.id, context.operation.input.to);
  },
  async undo(context) {
    const instance = await instanceOf(context);
    await context.services.driver.setHostname(instance.id, context.operation.input.from);
  },
};

/** Gives the instance this name and the platform address that goes with it, in one transaction. Errors: name_taken. */
async function move(context: StepContext<RenameInput>, name: string): Promise<string | null> {
  const { services, operation } = context;
  return transact(services.db, async (tx) => {
    const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
    if (instance === null) return null;
    if (instance.name !== name) await changeInstance(tx, instance, { name });
    const primary = (await routesOfInstance(tx, instance.id)).find((route) => route.primary);
    if (primary === undefined) return null;
    const network = await projectNetwork(tx, instance.project);
    for (const hostname of primaryHostnames(services.domain, name, network?.name ?? 'project', instance.id)) {
      if (primary.hostname === hostname) return hostname;
      if (await hostnameTaken(tx, hostname)) continue;
      await moveRoutes(tx, instance.id, primary.hostname, hostname);
      return hostname;
    }
    return primary.hostname;
  });
}

const addressStep: Step<RenameInput> = {
  name: 'address',
  title: 'Change name and address',
  async do(context) {
    context.report(100, await move(context, context.operation.input.to));
  },
  async undo(context) {
    const instance = await instanceOf(context);
    if (instance.name === context.operation.input.to) await move(context, context.operation.input.from);
  },
};

export const instanceRename: Workflow<RenameInput> = { steps: [guestStep, addressStep] };
