/** Waiting for a long command inside a guest. The command itself goes on whatever happens out here. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, toBerthError } from '#domain/errors.ts';
import { archivedBytes } from '#domain/file-archives.ts';
import { GUEST_RUN_MINUTES_MAX, type GuestRunPart, guestRunPart } from '#domain/guest-runs.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { GuestRun, GuestTask } from '#drivers/interface.ts';
import { stopAskedBy } from '../store/operations.ts';
import { isTransient, OperationStopped, type StepContext } from './engine.ts';
import { instanceOf } from './guest-steps.ts';

/** The command has its own bound inside; this is for when nobody there answers any more. */
const GRACE_MINUTES = 5;
/** An agent or engine that is away for longer than this fails the step (which tries again a few times). */
const AWAY_MS_MAX = 120_000;
const MESSAGE_LENGTH_MAX = 300;
/** What `timeout` answers when it had to end the command, and when there is no such program. */
const TIMED_OUT_CODE = 124;
const NO_PROGRAM_CODE = 127;
/** tar: something changed while it was read. unzip: there was something to warn of. Both did their work. */
const WARNED_CODE = 1;

/**
 * Starts `task`, or finds it started, and waits for its end. Errors: conflict when it failed, in its own words;
 * OperationStopped when somebody wanted the operation to end.
 */
export async function runInside(context: StepContext, task: GuestTask): Promise<GuestRun> {
  const { services, operation } = context;
  const instance = await instanceOf(context);
  const part = guestRunPart(task);
  await heedStop(context, part);
  await services.driver.startGuestRun(instance.id, operation.id, task);
  const run = await ended(context, instance.id, part);
  const archive = task.type === 'pack' || task.type === 'unpack';
  if (run.code === 0 || (archive && run.code === WARNED_CODE)) return run;
  // It ended because it was told to, before it could be seen to.
  await heedStop(context, part);
  if (run.code === TIMED_OUT_CODE) {
    throw new BerthError('conflict', `It did not end within ${GUEST_RUN_MINUTES_MAX} minutes and was stopped.`);
  }
  if (archive && run.code === NO_PROGRAM_CODE) {
    throw new BerthError('unsupported', 'The program for this kind of archive is not installed inside.');
  }
  const said = lastWords(run) ?? `it ended with code ${run.code ?? '?'}.`;
  throw new BerthError('conflict', archive ? said : `Docker: ${said}`);
}

/** Ends the command when that was asked for. Errors: OperationStopped. */
async function heedStop(context: StepContext, part: GuestRunPart): Promise<void> {
  const by = await stopAskedBy(context.services.db, context.operation.id);
  if (by === null) return;
  context.report(null, 'It is being stopped.');
  await endInside(context, part);
  throw new OperationStopped(by);
}

async function ended(context: StepContext, instance: InstanceId, part: GuestRunPart): Promise<GuestRun> {
  const { services, operation } = context;
  const deadline = services.now() + (GUEST_RUN_MINUTES_MAX + GRACE_MINUTES) * 60_000;
  let awaySince: number | null = null;
  for (;;) {
    if (services.stopping()) throw new Error('the process is going down; the command goes on');
    const run = await services.driver.lookAtGuestRun(instance, operation.id, part).catch((cause: unknown) => {
      awaySince ??= services.now();
      if (!isTransient(cause) || services.now() - awaySince > AWAY_MS_MAX) throw cause;
      context.report(null, `${toBerthError(cause).message} Trying again.`);
      return null;
    });
    if (run !== null) {
      awaySince = null;
      if (run.state === 'exited') return run;
      await heedStop(context, part);
      if (run.state === 'gone') {
        throw new BerthError('state_conflict', 'The instance was restarted while the command ran. Start it again.');
      }
      context.report(null, progressText(run));
    }
    if (services.now() > deadline) throw new BerthError('conflict', 'The command inside did not end in time.');
    await sleep(services.timing.guestPollMs);
  }
}

function progressText(run: GuestRun): string | null {
  const bytes = archivedBytes(run.lines);
  return bytes === null ? lastWords(run) : `${Math.round(bytes / 1e6)} MB so far`;
}

/** Errors stand last, or before a line that only repeats them. */
function lastWords({ lines }: GuestRun): string | null {
  const own = lines.filter((line) => archivedBytes([line]) === null && !/^tar: Exiting with failure/.test(line));
  const said = own.findLast((line) => /error|failed|denied|no such|cannot|invalid/i.test(line)) ?? own.at(-1);
  return said === undefined ? null : said.trim().slice(0, MESSAGE_LENGTH_MAX);
}

/** Forgets the run inside, and ends it where it still goes on. Fine when the guest is gone or does not run. */
export async function endInside(context: StepContext, part: GuestRunPart): Promise<void> {
  const { services, operation } = context;
  if (operation.instance === null) return;
  await services.driver.endGuestRun(operation.instance, operation.id, part).catch((cause: unknown) => {
    const { code } = toBerthError(cause);
    // Whatever does not run has forgotten it already.
    if (code !== 'not_found' && code !== 'state_conflict') throw cause;
  });
}
