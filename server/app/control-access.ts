/** From where the control plane may be entered: read by every replica every few seconds, changed by administrators. */
import type { CountryDatabase, CountryState } from '#contract/countries.ts';
import { isOwnAddress } from '#contract/machine.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { type ControlAccess, controlGate, openToAll } from '#domain/control-access.ts';
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
  readonly countries: CountryDatabase;
  #gate: (address: string) => boolean;
  #turn = 0;

  constructor(db: Db, countries: CountryDatabase) {
    this.#db = db;
    this.countries = countries;
    this.#gate = this.gateOf(openToAll);
  }

  /** Errors: those of the database; what was in force stays. */
  async reload(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    await this.countries.refresh();
    const access = await controlAccess(this.#db);
    // Whoever began later has read what is newer.
    if (turn === this.#turn) this.#gate = this.gateOf(access);
  }

  gateOf(access: ControlAccess | null): (address: string) => boolean {
    return controlGate(access, isOwnAddress, (address) => this.countries.countryOf(address));
  }

  /** `address` null: through the socket itself, where only this machine's own processes are. */
  mayEnter(address: string | null): boolean {
    return address === null || this.#gate(address);
  }
}

type Answer = ControlAccess & {
  address: string | null;
  country: string | null;
  database: { state: CountryState['state']; builtAt: string | null; problem: string | null };
};

/** With the database as it is now. */
async function answerOf(app: AppContext, caller: PersonCaller, access: ControlAccess): Promise<Answer> {
  const { address } = caller.origin;
  const { countries } = app.controlGate;
  await countries.refresh();
  const { state, builtAt, problem } = countries.state;
  return {
    ...access,
    address,
    country: address === null ? null : countries.countryOf(address),
    database: { state, builtAt: builtAt?.toISOString() ?? null, problem },
  };
}

export async function readControlAccess(app: AppContext, caller: PersonCaller): Promise<Answer> {
  await authorizePlatform(app, caller, 'platform.settings.read');
  return answerOf(app, caller, (await controlAccess(app.db)) ?? openToAll);
}

/**
 * Errors: state_conflict when the caller would lock themselves out and did not say that they know, or when there are
 * countries and no database that knows them.
 */
export async function updateControlAccess(
  app: AppContext,
  caller: PersonCaller,
  input: ControlAccess & { evenMe: boolean },
): Promise<Answer> {
  const proof = await authorizePlatform(app, caller, 'platform.settings.update');
  const access = { networks: [...new Set(input.networks)].sort(), countries: [...new Set(input.countries)].sort() };
  const { address } = caller.origin;
  const { countries } = app.controlGate;
  await countries.refresh();
  if (access.countries.length > 0 && countries.state.state !== 'ready') {
    const why = countries.state.problem ?? 'There is no database.';
    throw new BerthError('state_conflict', `Countries need a database of countries on the machine. ${why}`);
  }
  if (!input.evenMe && address !== null && !app.controlGate.gateOf(access)(address)) {
    throw new BerthError(
      'state_conflict',
      `You are at ${address}, which is in none of these networks and countries: you would be locked out, and only the machine itself could open it again (berth control-access open). Say that you want that (evenMe), or add your network.`,
    );
  }
  await transact(app.db, async (trx) => {
    const before = (await controlAccess(trx)) ?? openToAll;
    await writeSetting(trx, proof, 'control.access', access);
    await emit(trx, { kind: 'setting', ref: 'control.access' });
    await record(trx, caller, {
      action: 'platform.control-access.update',
      targetKind: 'setting',
      targetId: 'control.access',
      target: 'access to the control plane',
      before,
      after: { ...access, evenMe: input.evenMe },
    });
  });
  await app.controlGate.reload();
  return answerOf(app, caller, access);
}
