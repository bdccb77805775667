/** One real Berth for the whole run: started by `./berth up` on a fresh data folder, removed at the end. */
import type { TestProject } from 'vitest/node';
import type { RunningStack } from '#testkit/stack.ts';
import { startStack } from '#testkit/stack.ts';

export type SharedStack = Pick<RunningStack, 'info' | 'args' | 'ports'>;

declare module 'vitest' {
  interface ProvidedContext {
    stack: SharedStack;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await startStack();
  project.provide('stack', { info: stack.info, args: stack.args, ports: stack.ports });
  return async () => {
    if (process.env.BERTH_KEEP === '1') process.stderr.write(`kept: ${stack.info.dataDir}\n`);
    else await stack.destroy();
  };
}
