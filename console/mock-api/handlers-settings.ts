/** Settings of the mock installation: limits on calls, private addresses that may be called. */
import { BerthError } from '#domain/errors.ts';
import { type RateLimitName, rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import type { Handlers } from './handlers.ts';

type SettingsName =
  | `controlAccess${'Get' | 'Update'}`
  | `outbound${'Get' | 'Update'}`
  | `rateLimits${'Get' | 'Update'}`;

let networks: string[] = [];
let allowed: string[] = ['https://idp.harbour.example:8443'];
const limits: Partial<Record<RateLimitName, number>> = {};

const rateLimitAnswer = () => ({
  items: rateLimitNames.map((name) => {
    const { limit: initial, windowSeconds, title } = rateLimits[name];
    return { name, title, limit: limits[name] ?? initial, windowSeconds, initial };
  }),
});

export const settingsHandlers: Pick<Handlers, SettingsName> = {
  controlAccessGet: () => ({ networks, address: '192.0.2.7' }),
  controlAccessUpdate: (_state, { body }) => {
    if (!body.evenMe && body.networks.length > 0 && !body.networks.some((each) => each.startsWith('192.0.2.')))
      throw new BerthError('state_conflict', 'You are at 192.0.2.7: you would be locked out.');
    networks = body.networks;
    return { networks, address: '192.0.2.7' };
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
