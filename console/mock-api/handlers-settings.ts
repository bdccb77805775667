/** Settings of the mock installation: limits on calls, private addresses that may be called. */
import { BerthError } from '#domain/errors.ts';
import { type RateLimitName, rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import type { Handlers } from './handlers.ts';

type SettingsName =
  | `controlAccess${'Get' | 'Update'}`
  | `outbound${'Get' | 'Update'}`
  | `rateLimits${'Get' | 'Update'}`;

let networks: string[] = [];
let countries: string[] = [];
const controlAnswer = () => ({
  networks,
  countries,
  address: '192.0.2.7',
  country: 'FR',
  database: { state: 'ready' as const, builtAt: '2026-11-17T00:00:00.000Z', problem: null },
});
let allowed: string[] = ['https://idp.harbour.example:8443'];
const limits: Partial<Record<RateLimitName, number>> = {};

const rateLimitAnswer = () => ({
  items: rateLimitNames.map((name) => {
    const { limit: initial, windowSeconds, title } = rateLimits[name];
    return { name, title, limit: limits[name] ?? initial, windowSeconds, initial };
  }),
});

export const settingsHandlers: Pick<Handlers, SettingsName> = {
  controlAccessGet: controlAnswer,
  controlAccessUpdate: (_state, { body }) => {
    const isIn = body.countries.includes('FR') || body.countries.length + body.networks.length === 0;
    if (!body.evenMe && !isIn && !body.networks.some((each) => each.startsWith('192.0.2.')))
      throw new BerthError('state_conflict', 'You are at 192.0.2.7: you would be locked out.');
    networks = body.networks;
    countries = body.countries;
    return controlAnswer();
  },
  outboundGet: () => ({ allowed }),
  outboundUpdate: (_state, { body }) => {
    allowed = body.allowed;
    return { allowed };
  },
  rateLimitsGet: rateLimitAnswer,
  rateLimitsUpdate: (_state, { body }) => {
    for (const name of rateLimitNames) {
      const value = body[name];
      if (value === null) delete limits[name];
      else if (value !== undefined) limits[name] = value;
    }
    return rateLimitAnswer();
  },
};
