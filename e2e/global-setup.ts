/**
 * One real Berth for the whole run: started by `./berth up` on a fresh data folder, removed at the end. While writing
 * tests: BERTH_KEEP=1 leaves it running, BERTH_STACK=<its folder> uses it again.
 */
import type { TestProject } from 'vitest/node';
import type { RunningStack } from '#testkit/stack.ts';
import { existingStack, startStack } from '#testkit/stack.ts';

export type SharedStack = Pick<RunningStack, 'info' | 'args' | 'ports'>;

declare module 'vitest' {
  interface ProvidedContext {
    stack: SharedStack;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kept = process.env.BERTH_STACK;
  const stack = kept === undefined ? await startStack() : await existingStack(kept);
  project.provide('stack', { info: stack.info, args: stack.args, ports: stack.ports });
  return async () => {
    if (process.env.BERTH_KEEP === '1' || kept !== undefined) process.stderr.write(`kept: ${stack.info.dataDir}\n`);
    else await stack.destroy();
  };
}
