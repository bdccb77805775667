/** From where the control plane may be entered: read by every replica every few seconds, changed by administrators. */
import { isOwnAddress } from '#contract/machine.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { controlGate, openToAll } from '#domain/control-access.ts';
import { BerthError } from '#domain/errors.ts';
import { record } from '#server/store/audit.ts';
import { type Db, transact } from '#server/store/database.ts';
import { emit } from '#server/store/outbox.ts';
import { controlAccess, writeSetting } from '#server/store/settings.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

/** What is in force on this replica. */
export class ControlGate {
  readonly #db: Db;
  #gate = controlGate(openToAll, isOwnAddress);

  constructor(db: Db) {
    this.#db = db;
  }

  /** Errors: those of the database; what was in force stays. */
  async reload(): Promise<void> {
    this.#gate = controlGate(await controlAccess(this.#db), isOwnAddress);
  }

  /** `address` null: through the socket itself, where only this machine's own processes are. */
  mayEnter(address: string | null): boolean {
    return address === null || this.#gate(address);
  }
}

type Answer = { networks: string[]; address: string | null };

export async function readControlAccess(app: AppContext, caller: PersonCaller): Promise<Answer> {
  await authorizePlatform(app, caller, 'platform.settings.read');
  return { networks: (await controlAccess(app.db))?.networks ?? [], address: caller.origin.address };
}

/** Errors: state_conflict when the caller would lock themselves out and did not say that they know. */
export async function updateControlAccess(
  app: AppContext,
  caller: PersonCaller,
  input: { networks: string[]; evenMe: boolean },
): Promise<Answer> {
  const proof = await authorizePlatform(app, caller, 'platform.settings.update');
  const networks = [...new Set(input.networks)].sort();
  const { address } = caller.origin;
  if (!input.evenMe && address !== null && !controlGate({ networks }, isOwnAddress)(address)) {
    throw new BerthError(
      'state_conflict',
      `You are at ${address}, which is in none of these networks: you would be locked out, and only the machine itself could open it again (berth control-access open). Say that you want that (evenMe), or add your network.`,
    );
  }
  await transact(app.db, async (trx) => {
    const before = (await controlAccess(trx))?.networks ?? [];
    await writeSetting(trx, proof, 'control.access', { networks });
    await emit(trx, { kind: 'setting', ref: 'control.access' });
    await record(trx, caller, {
      action: 'platform.control-access.update',
      targetKind: 'setting',
      targetId: 'control.access',
      target: 'access to the control plane',
      before: { networks: before },
      after: { networks, evenMe: input.evenMe },
    });
  });
  await app.controlGate.reload();
  return { networks, address };
}
