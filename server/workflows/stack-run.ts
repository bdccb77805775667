/** One command on a stack inside a server: up, down, restart, pull. */
import type { StackVerb } from '#domain/stacks.ts';
import type { Step, Workflow } from './engine.ts';
import { endInside, runInside } from './guest-run.ts';

/** `volumes` only counts for `down`. */
export type StackRunInput = { stack: string; verb: StackVerb; volumes: boolean };

const titles: Record<StackVerb, string> = {
  up: 'Start its containers',
  down: 'Stop and remove its containers',
  restart: 'Restart its containers',
  pull: 'Pull its images',
};

/** What a command that failed has done by then stays: its person looks at it, and the same command again goes on there. */
const runStep = (verb: StackVerb): Step<StackRunInput> => ({
  name: 'run',
  title: titles[verb],
  async do(context) {
    const { stack, volumes } = context.operation.input;
    await runInside(context, { type: 'stack', stack, verb, volumes });
  },
  undo: (context) => endInside(context, verb),
});

/** A step of its own: only when the end is written down may the run be forgotten. No undo: nothing is left to take back. */
const forgetStep = (verb: StackVerb): Step<StackRunInput> => ({
  name: 'forget',
  title: 'Clear up behind it',
  do: (context) => endInside(context, verb),
});

export function stackRun(verb: StackVerb): Workflow<StackRunInput> {
  return { steps: [runStep(verb), forgetStep(verb)] };
}
