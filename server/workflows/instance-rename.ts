/**
 * Rename: the host name inside first, then, in one transaction, the name and the platform address. Whoever takes the name
 * meanwhile wins; then the host name inside goes back.
 */
import { transact } from '../store/database.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { projectNetwork } from '../store/observations.ts';
import { hostnameTaken, routesOfInstance, updateRoute } from '../store/routes.ts';
import type { Step, Workflow } from './engine.ts';
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

/** Last and one transaction: nothing to undo. */
const addressStep: Step<RenameInput> = {
  name: 'address',
  title: 'Change name and address',
  async do(context) {
    const { services, operation } = context;
    const { to } = operation.input;
    const hostname = await transact(services.db, async (tx) => {
      const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
      if (instance === null) return null;
      await changeInstance(tx, instance, { name: to });
      const primary = (await routesOfInstance(tx, instance.id)).find((route) => route.primary);
      if (primary === undefined) return null;
      const network = await projectNetwork(tx, instance.project);
      for (const hostname of primaryHostnames(services.domain, to, network?.name ?? 'project', instance.id)) {
        if (primary.hostname === hostname) return hostname;
        if (await hostnameTaken(tx, hostname)) continue;
        await updateRoute(tx, primary, { hostname });
        return hostname;
      }
      return primary.hostname;
    });
    context.report(100, hostname);
  },
};

export const instanceRename: Workflow<RenameInput> = { steps: [guestStep, addressStep] };
