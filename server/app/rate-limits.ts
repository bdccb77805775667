/** Limits on calls as they are in force now: what the code says, the configuration file, and administrators on top. */
import type { RateLimitItem } from '#contract/rate-limits.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { type RateLimitName, type RateRules, rateLimitNames, rateLimits, rateRules } from '#domain/rate-limits.ts';
import { record } from '#server/store/audit.ts';
import { type Db, transact } from '#server/store/database.ts';
import { chosenRateLimits, writeSetting } from '#server/store/settings.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

/** The rules of this replica; `reload` every few seconds follows what was changed on another. */
export class LiveRates {
  readonly #db: Db;
  readonly initial: RateRules;
  #rules: RateRules;

  constructor(db: Db, configured: Partial<Record<RateLimitName, number | undefined>> | undefined) {
    this.#db = db;
    this.initial = rateRules(configured);
    this.#rules = this.initial;
  }

  get rules(): RateRules {
    return this.#rules;
  }

  /** Errors: those of the database; the rules stay as they were. */
  async reload(): Promise<void> {
    this.#rules = this.over(await chosenRateLimits(this.#db));
  }

  over(chosen: Partial<Record<RateLimitName, number>>): RateRules {
    return rateRules(Object.fromEntries(rateLimitNames.map((name) => [name, this.initial[name].limit])), chosen);
  }
}

function items(rates: LiveRates, rules: RateRules): { items: RateLimitItem[] } {
  return {
    items: rateLimitNames.map((name) => ({
      name,
      title: rateLimits[name].title,
      ...rules[name],
      initial: rates.initial[name].limit,
    })),
  };
}

export async function readRateLimits(app: AppContext, caller: PersonCaller): Promise<{ items: RateLimitItem[] }> {
  await authorizePlatform(app, caller, 'platform.settings.read');
  await app.rates.reload();
  return items(app.rates, app.rates.rules);
}

/** Changes the given limits, leaves the others; null takes an administrator's change back. */
export async function updateRateLimits(
  app: AppContext,
  caller: PersonCaller,
  changes: Partial<Record<RateLimitName, number | null | undefined>>,
): Promise<{ items: RateLimitItem[] }> {
  const proof = await authorizePlatform(app, caller, 'platform.settings.update');
  const rules = await transact(app.db, async (trx) => {
    const before = await chosenRateLimits(trx);
    const after: Partial<Record<RateLimitName, number>> = { ...before };
    for (const name of rateLimitNames) {
      const change = changes[name];
      if (change === null) delete after[name];
      else if (change !== undefined) after[name] = change;
    }
    await writeSetting(trx, proof, 'rate.limits', after);
    await record(trx, caller, {
      action: 'platform.rate-limits.update',
      targetKind: 'setting',
      targetId: 'rate.limits',
      target: 'limits on calls',
      before,
      after,
    });
    return app.rates.over(after);
  });
  await app.rates.reload();
  return items(app.rates, rules);
}
