/** Settings of the mock installation: limits on calls, private addresses that may be called. */
import { type RateLimitName, rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import type { Handlers } from './handlers.ts';

type SettingsName = `outbound${'Get' | 'Update'}` | `rateLimits${'Get' | 'Update'}`;

let allowed: string[] = ['https://idp.harbour.example:8443'];
const limits: Partial<Record<RateLimitName, number>> = {};

const rateLimitAnswer = () => ({
  items: rateLimitNames.map((name) => {
    const { limit: initial, windowSeconds, title } = rateLimits[name];
    return { name, title, limit: limits[name] ?? initial, windowSeconds, initial };
  }),
});

export const settingsHandlers: Pick<Handlers, SettingsName> = {
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
