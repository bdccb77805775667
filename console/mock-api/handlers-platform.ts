/** Settings of the installation in the mock: limits on calls, addresses that are called. */
import { type RateLimitName, rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';

type PlatformName = 'rateLimitsGet' | 'rateLimitsUpdate' | 'outboundGet' | 'outboundUpdate';

const chosen: Partial<Record<RateLimitName, number>> = {};
let allowed: string[] = [];

const rates = (): OutputOf<'rateLimitsGet'> => ({
  items: rateLimitNames.map((name) => {
    const { title, limit, windowSeconds } = rateLimits[name];
    return { name, title, windowSeconds, initial: limit, limit: chosen[name] ?? limit };
  }),
});

export const platformHandlers: Pick<Handlers, PlatformName> = {
  rateLimitsGet: rates,
  rateLimitsUpdate: (_state, { body }) => {
    for (const name of rateLimitNames) {
      const change = body[name];
      if (change === null) delete chosen[name];
      else if (change !== undefined) chosen[name] = change;
    }
    return rates();
  },
  outboundGet: () => ({ allowed }),
  outboundUpdate: (_state, { body }) => {
    allowed = [...body.allowed].sort();
    return { allowed };
  },
};
