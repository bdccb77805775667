/** Starts the long commands that a guest runs for its people: each is a unit inside, see guest-runs.ts. */
import type { AgentInput } from '#contract/agent.ts';
import { guestRunPart } from '#domain/guest-runs.ts';
import { cleanCommands } from './containers.ts';
import type { Engine } from './engine.ts';
import { archiveCommand } from './file-archives.ts';
import { startRun } from './guest-runs.ts';
import { stackCommand } from './stacks.ts';

/** Nothing happens when this run has started it; `lookAtRun` tells how it goes. Errors: not_found, state_conflict, conflict. */
export async function startGuestRun(engine: Engine, { instance, run, task }: AgentInput<'guestRun'>): Promise<null> {
  const command = async () => {
    if (task.type === 'clean') return cleanCommands[task.part];
    return task.type === 'stack' ? stackCommand(engine, instance, task) : archiveCommand(task);
  };
  return startRun(engine, instance, { run, part: guestRunPart(task), command });
}
