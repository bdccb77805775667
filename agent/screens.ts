/** Where a desktop's screen is and its password, which the guest mints at first boot and keeps in a root-only file. */

import type { ScreenCredentials } from '#contract/agent.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { Engine, Guest } from './engine.ts';

export const SCREEN_PORT = 5900;
const PASSWORD_PATH = '/etc/berth/vnc-password';
const PASSWORD_BYTES_MAX = 256;
const REMEMBERED_MAX = 10_000;

export class Screens {
  readonly #engine: Engine;
  /** By instance, for one run of the guest: a rollback or a new start may bring another password. */
  readonly #known = new Map<InstanceId, { startedAt: string | null; password: string }>();
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Errors: not_found, unsupported for servers, state_conflict when it does not run or has no password yet. */
  async credentials(instance: InstanceId): Promise<ScreenCredentials> {
    const guest = await this.#engine.observe(instance);
    if (guest === null) throw notFound('instance on this host');
    if (guest.kind !== 'desktop') throw new BerthError('unsupported', 'Only desktops have a screen.');
    if (guest.state !== 'running' || guest.address4 === null) throw new BerthError('state_conflict', 'Start it first.');
    // People attach seldom: always read, so that a password changed inside is the one that is used.
    this.forget(instance);
    const { password } = await this.password(guest);
    if (password === null) throw new BerthError('state_conflict', 'The screen is still starting.');
    return { address: guest.address4, port: SCREEN_PORT, password };
  }

  /** `fresh` tells whether it was read just now. */
  async password(guest: Guest): Promise<{ password: string | null; fresh: boolean }> {
    const known = this.#known.get(guest.instance);
    if (known !== undefined && known.startedAt === guest.startedAt) return { password: known.password, fresh: false };
    const file = await this.#engine.readFile(guest.instance, PASSWORD_PATH, PASSWORD_BYTES_MAX);
    const password = file === null ? '' : file.content.toString('latin1').trim();
    if (password === '') return { password: null, fresh: true };
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(guest.instance, { startedAt: guest.startedAt, password });
    return { password, fresh: true };
  }

  forget(instance: InstanceId): void {
    this.#known.delete(instance);
  }
}
