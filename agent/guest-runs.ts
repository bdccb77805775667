/**
 * Long commands inside a guest. Each is a unit of the guest's own systemd, named after the operation it belongs to: it
 * goes on when the agent, the control plane or a browser goes away, is found again by its name, and is not started
 * twice. What it says goes to the guest's journal.
 */
import { BerthError } from '#domain/errors.ts';
import { GUEST_RUN_MINUTES_MAX, GUEST_RUN_STOP_SECONDS } from '#domain/guest-runs.ts';
import type { InstanceId, OperationId } from '#domain/ids.ts';
import type { Engine } from './engine.ts';

const CALL_MS_MAX = 20_000;
const BYTES_MAX = 512 * 1024;
const KILL_AFTER_SECONDS = 30;
/** Lines that are answered; the journal has all. */
const TAIL_LINES = 30;
const LINE_LENGTH_MAX = 500;

/** `running`; `exited` with its code, and its last lines; `gone`: it is not there (any more). */
export type GuestRun = { state: 'running' | 'exited' | 'gone'; code: number | null; lines: string[] };

/** What its lines have as identifier in the journal. */
export function runIdentifier(run: OperationId): string {
  return `berth-${run}`;
}

const unitOf = (run: OperationId, part: string) => `${runIdentifier(run)}-${part}.service`;

/**
 * Any exit code is a success for systemd: a command that fails is the operation's business, and a failed unit would
 * make the whole machine count as degraded.
 */
const EVERY_EXIT = [...Array.from({ length: 255 }, (_, index) => String(index + 1)), 'SIGKILL', 'SIGTERM'].join(' ');

/** Starts it, unless it has been started: `command` is only asked for then. Errors: upstream_failed, not_found, state_conflict. */
export async function startRun(
  engine: Engine,
  instance: InstanceId,
  { run, part, command }: { run: OperationId; part: string; command: () => Promise<readonly string[]> },
): Promise<null> {
  if ((await lookAtRun(engine, instance, run, part)).state !== 'gone') return null;
  const argv = await command();
  const { code, stderr } = await engine.exec(
    instance,
    [
      'systemd-run',
      '--quiet',
      '--no-block',
      `--unit=${unitOf(run, part)}`,
      '--property=RemainAfterExit=yes',
      `--property=TimeoutStopSec=${GUEST_RUN_STOP_SECONDS}`,
      `--property=SuccessExitStatus=${EVERY_EXIT}`,
      `--property=SyslogIdentifier=${runIdentifier(run)}`,
      '--property=StandardInput=null',
      '--setenv=HOME=/root',
      '--setenv=LANG=C.UTF-8',
      '--',
      'timeout',
      `--kill-after=${KILL_AFTER_SECONDS}`,
      String(GUEST_RUN_MINUTES_MAX * 60),
      ...argv,
    ],
    { timeoutMs: CALL_MS_MAX, bytesMax: BYTES_MAX },
  );
  // Somebody was faster: it runs, and only once.
  if (code === 0 || /already (?:loaded|exists)|has a fragment file/i.test(stderr)) return null;
  throw new BerthError('upstream_failed', 'The command cannot be started inside.', { detail: stderr.slice(0, 500) });
}

export async function lookAtRun(
  engine: Engine,
  instance: InstanceId,
  run: OperationId,
  part: string,
): Promise<GuestRun> {
  const how = { timeoutMs: CALL_MS_MAX, bytesMax: BYTES_MAX };
  const properties = '--property=LoadState,ActiveState,SubState,ExecMainCode,ExecMainStatus';
  const shown = await engine.exec(instance, ['systemctl', 'show', properties, unitOf(run, part)], how);
  if (shown.code !== 0) {
    throw new BerthError('upstream_failed', 'The instance does not say what it runs.', {
      detail: shown.stderr.slice(0, 500),
    });
  }
  const { state, code } = runOfUnit(shown.stdout);
  if (state === 'gone') return { state, code, lines: [] };
  if (state === 'exited') await engine.exec(instance, ['journalctl', '--sync'], how);
  const said = await engine.exec(
    instance,
    [
      ...['journalctl', '--no-pager', '--quiet', '--output=cat'],
      `--identifier=${runIdentifier(run)}`,
      `--unit=${unitOf(run, part)}`,
      `--lines=${TAIL_LINES}`,
    ],
    how,
  );
  const lines = said.stdout.split('\n').filter((line) => line.trim() !== '');
  return { state, code, lines: lines.slice(-TAIL_LINES).map((line) => line.slice(0, LINE_LENGTH_MAX)) };
}

const KILLED_CODE_BASE = 128;
/** `ExecMainCode` of a process that ended by itself (CLD_EXITED). */
const ENDED = '1';

/** Errors: upstream_failed when systemd did not answer what was asked. */
export function runOfUnit(shown: string): Pick<GuestRun, 'state' | 'code'> {
  const fields = new Map(shown.split('\n').map((line) => line.split('=', 2) as [string, string]));
  if (fields.get('LoadState') === 'not-found') return { state: 'gone', code: null };
  if (fields.get('LoadState') !== 'loaded') {
    throw new BerthError('upstream_failed', 'The instance does not say what it runs.', { detail: shown.slice(0, 200) });
  }
  const active = fields.get('ActiveState');
  if (active === 'activating' || (active === 'active' && fields.get('SubState') !== 'exited')) {
    return { state: 'running', code: null };
  }
  const status = Number(fields.get('ExecMainStatus') ?? 1);
  return { state: 'exited', code: fields.get('ExecMainCode') === ENDED ? status : KILLED_CODE_BASE + status };
}

/** Ends it if it still runs, and forgets it; its lines stay in the journal. Nothing happens when it is gone. */
export async function endRun(engine: Engine, instance: InstanceId, run: OperationId, part: string): Promise<null> {
  const how = { timeoutMs: 2 * KILL_AFTER_SECONDS * 1000, bytesMax: BYTES_MAX };
  await engine.exec(instance, ['systemctl', 'stop', unitOf(run, part)], how);
  await engine.exec(instance, ['systemctl', 'reset-failed', unitOf(run, part)], how);
  return null;
}
