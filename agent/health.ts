/** Is a guest usable? Asked from the host's side, as its people would meet it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentHealthReport } from '#contract/agent-results.ts';
import { notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { HealthCheck, HealthState } from '#domain/instances.ts';
import type { Engine, Guest } from './engine.ts';
import { SCREEN_PORT, type Screens } from './screens.ts';
import { listens, readBanner, rfbHandshake } from './vnc.ts';

const PROBE_MS_MAX = 3_000;
const EXEC_MS_MAX = 5_000;
const EXEC_BYTES_MAX = 16 * 1024;
const SSH_PORT = 22;
const OPENCLAW_READY_URL = 'http://127.0.0.1:18789/readyz';
/** The port by which people enter each kind. */
const doors = {
  desktop: { name: 'rfb', noun: 'The screen', port: SCREEN_PORT },
  server: { name: 'sshd', noun: 'SSH', port: SSH_PORT },
} as const;
const KNOCK_MS_MAX = 120;
const KNOCK_PAUSE_MS = 20;
/** A young guest's door is knocked at for this long before the answer is that it starts. */
const KNOCKING_MS_MAX = 1_000;
/** After a start, a check that does not pass yet means "starting" for this long. */
const STARTING_SECONDS = 120;
/** A guest this young is being waited for. */
const BOOTING_SECONDS = 10;

export class Health {
  readonly #engine: Engine;
  readonly #screens: Screens;
  constructor(engine: Engine, screens: Screens) {
    this.#engine = engine;
    this.#screens = screens;
  }

  /** Errors: not_found. A guest that does not run is `unknown`, without checks. */
  async report(instance: InstanceId): Promise<AgentHealthReport> {
    const guest = await this.#engine.observe(instance);
    if (guest === null) throw notFound('instance on this host');
    const checkedAt = new Date().toISOString();
    if (guest.state !== 'running') return { state: 'unknown', checks: [], checkedAt };
    const young = secondsSince(guest.startedAt) < STARTING_SECONDS;
    // While it boots only its door is knocked at: commands run inside, and looks of the engine, would take the processor
    // from the boot itself.
    if (young && !(await opens(guest.address4 ?? '', doors[guest.kind].port))) {
      const { name, noun } = doors[guest.kind];
      const check = { name, state: 'starting' as const, message: `${noun} does not answer yet.`, optional: false };
      return { state: 'starting', checks: [check], checkedAt };
    }
    // Nobody waits for what is optional before the first use; the next look asks for it.
    const booting = secondsSince(guest.startedAt) < BOOTING_SECONDS;
    const checks = await Promise.all(
      guest.kind === 'desktop'
        ? [this.#rfb(guest), ...(booting ? [] : [this.#systemd(guest, true), this.#openclaw(guest)])]
        : [this.#systemd(guest, false), this.#sshd(guest)],
    );
    return { state: summary(checks, young), checks, checkedAt };
  }

  async #rfb(guest: Guest): Promise<HealthCheck> {
    const check = (state: HealthState, message: string): HealthCheck => ({
      name: 'rfb',
      state,
      message,
      optional: false,
    });
    try {
      const { password, fresh } = await this.#screens.password(guest);
      if (password === null) return check('unhealthy', 'The screen has not made its password yet.');
      let result = await rfbHandshake(guest.address4 ?? '', SCREEN_PORT, password, PROBE_MS_MAX);
      if (!result.authenticated && !fresh) {
        this.#screens.forget(guest.instance);
        const again = await this.#screens.password(guest);
        result = await rfbHandshake(guest.address4 ?? '', SCREEN_PORT, again.password, PROBE_MS_MAX);
      }
      if (!result.authenticated) return check('unhealthy', 'The screen answers but does not take its password.');
      return check('healthy', `The screen answers (${result.version}).`);
    } catch (error) {
      return check('unhealthy', `The screen does not answer: ${words(error)}.`);
    }
  }

  async #sshd(guest: Guest): Promise<HealthCheck> {
    const check = (state: HealthState, message: string): HealthCheck => ({
      name: 'sshd',
      state,
      message,
      optional: false,
    });
    try {
      const banner = await readBanner(guest.address4 ?? '', SSH_PORT, PROBE_MS_MAX);
      if (!banner.startsWith('SSH-2.0-')) return check('unhealthy', 'What answers on port 22 is not an SSH server.');
      return check('healthy', `SSH answers (${banner.slice(8, 60)}).`);
    } catch (error) {
      return check('unhealthy', `SSH does not answer: ${words(error)}.`);
    }
  }

  async #systemd(guest: Guest, optional: boolean): Promise<HealthCheck> {
    const check = (state: HealthState, message: string): HealthCheck => ({ name: 'systemd', state, message, optional });
    try {
      const how = { timeoutMs: EXEC_MS_MAX, bytesMax: EXEC_BYTES_MAX };
      const { stdout } = await this.#engine.exec(guest.instance, ['systemctl', 'is-system-running'], how);
      const state = stdout.trim();
      if (state === 'running') return check('healthy', 'All services run.');
      if (state === 'initializing' || state === 'starting') return check('starting', 'Services are starting.');
      if (state !== 'degraded') return check('unhealthy', `The system says: ${state.slice(0, 40) || 'nothing'}.`);
      const failed = await this.#engine.exec(
        guest.instance,
        ['systemctl', 'list-units', '--failed', '--plain', '--no-legend', '--no-pager'],
        how,
      );
      return check('degraded', `Services failed: ${failedUnits(failed.stdout)}.`);
    } catch (error) {
      return check('unhealthy', `The system does not answer: ${words(error)}.`);
    }
  }

  async #openclaw(guest: Guest): Promise<HealthCheck> {
    const check = (state: HealthState, message: string): HealthCheck => ({
      name: 'openclaw',
      state,
      message,
      optional: true,
    });
    try {
      const { code } = await this.#engine.exec(
        guest.instance,
        ['curl', '-fsS', '-m', '2', '-o', '/dev/null', OPENCLAW_READY_URL],
        {
          timeoutMs: EXEC_MS_MAX,
          bytesMax: EXEC_BYTES_MAX,
        },
      );
      if (code === 0) return check('healthy', 'Ready.');
      if (code === CURL_REFUSED) return check('unknown', 'Starts on first use.');
      if (code === CURL_HTTP_ERROR || code === CURL_TIMEOUT) return check('starting', 'Starting.');
      return check('unknown', 'Not installed.');
    } catch (error) {
      return check('unknown', `Could not be asked: ${words(error)}.`);
    }
  }
}

const CURL_REFUSED = 7;
const CURL_HTTP_ERROR = 22;
const CURL_TIMEOUT = 28;
const FAILED_UNITS_SHOWN_MAX = 5;

/** `ssh.service loaded failed failed OpenBSD ...` lines to names. */
export function failedUnits(text: string): string {
  const units = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => /^[A-Za-z0-9@:_.\\-]{1,128}$/.test(unit));
  const more = units.length - FAILED_UNITS_SHOWN_MAX;
  return `${units.slice(0, FAILED_UNITS_SHOWN_MAX).join(', ') || 'unknown'}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The worst required check counts; optional ones only colour their own line. */
export function summary(checks: readonly HealthCheck[], young: boolean): HealthState {
  const states = checks.filter((check) => !check.optional).map((check) => check.state);
  if (states.includes('unhealthy') || states.includes('unknown')) return young ? 'starting' : 'unhealthy';
  if (states.includes('starting')) return 'starting';
  if (states.includes('degraded')) return 'degraded';
  return 'healthy';
}

/** True as soon as the port answers, false when it did not for a while. */
async function opens(address: string, port: number): Promise<boolean> {
  const deadline = Date.now() + KNOCKING_MS_MAX;
  while (Date.now() < deadline) {
    if (await listens(address, port, KNOCK_MS_MAX)) return true;
    await sleep(KNOCK_PAUSE_MS);
  }
  return false;
}

/** Infinite for a guest whose start nobody noted. */
function secondsSince(at: string | null): number {
  return at === null ? Number.POSITIVE_INFINITY : (Date.now() - Date.parse(at)) / 1000;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : 'unknown error';
}
