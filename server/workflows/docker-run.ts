/** Waiting for a long command of Docker inside a server. The command itself goes on whatever happens out here. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, toBerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { type CleanPart, DOCKER_RUN_MINUTES_MAX, type StackVerb } from '#domain/stacks.ts';
import type { DockerRun, DockerTask } from '#drivers/interface.ts';
import { isTransient, type StepContext } from './engine.ts';
import { instanceOf } from './guest-steps.ts';

/** The command has its own bound inside; this is for when nobody there answers any more. */
const GRACE_MINUTES = 5;
/** An agent or engine that is away for longer than this fails the step (which tries again a few times). */
const AWAY_MS_MAX = 120_000;
const MESSAGE_LENGTH_MAX = 300;
/** What `timeout` answers when it had to end the command. */
const TIMED_OUT_CODE = 124;

/** Starts `task`, or finds it started, and waits for its end. Errors: conflict when it failed, in its own words. */
export async function runInside(context: StepContext, task: DockerTask): Promise<DockerRun> {
  const { services, operation } = context;
  const instance = await instanceOf(context);
  const part = task.type === 'stack' ? task.verb : task.part;
  await services.driver.startDockerRun(instance.id, operation.id, task);
  const run = await ended(context, instance.id, part);
  if (run.code === 0) return run;
  if (run.code === TIMED_OUT_CODE) {
    throw new BerthError('conflict', `It did not end within ${DOCKER_RUN_MINUTES_MAX} minutes and was stopped.`);
  }
  throw new BerthError('conflict', `Docker: ${lastWords(run) ?? `it ended with code ${run.code ?? '?'}.`}`);
}

async function ended(context: StepContext, instance: InstanceId, part: StackVerb | CleanPart): Promise<DockerRun> {
  const { services, operation } = context;
  const deadline = services.now() + (DOCKER_RUN_MINUTES_MAX + GRACE_MINUTES) * 60_000;
  let awaySince: number | null = null;
  for (;;) {
    if (services.stopping()) throw new Error('the process is going down; the command goes on');
    const run = await services.driver.lookAtDockerRun(instance, operation.id, part).catch((cause: unknown) => {
      awaySince ??= services.now();
      if (!isTransient(cause) || services.now() - awaySince > AWAY_MS_MAX) throw cause;
      context.report(null, `${toBerthError(cause).message} Trying again.`);
      return null;
    });
    if (run !== null) {
      awaySince = null;
      if (run.state === 'exited') return run;
      if (run.state === 'gone') {
        throw new BerthError('state_conflict', 'The server was restarted while the command ran. Start it again.');
      }
      context.report(null, lastWords(run));
    }
    if (services.now() > deadline) throw new BerthError('conflict', 'The command inside did not end in time.');
    await sleep(services.timing.dockerPollMs);
  }
}

/** Errors stand last, or before a line that only repeats them. */
function lastWords({ lines }: DockerRun): string | null {
  const said = lines.findLast((line) => /error|failed|denied|no such|cannot|invalid/i.test(line)) ?? lines.at(-1);
  return said === undefined ? null : said.trim().slice(0, MESSAGE_LENGTH_MAX);
}

/** Forgets the run inside, and ends it where it still goes on. Fine when the server is gone or does not run. */
export async function endInside(context: StepContext, part: StackVerb | CleanPart): Promise<void> {
  const { services, operation } = context;
  if (operation.instance === null) return;
  await services.driver.endDockerRun(operation.instance, operation.id, part).catch((cause: unknown) => {
    const { code } = toBerthError(cause);
    // Whatever does not run has forgotten it already.
    if (code !== 'not_found' && code !== 'state_conflict') throw cause;
  });
}
