/** Endpoints of the installation's own settings. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { readControlAccess, updateControlAccess } from '#server/app/control-access.ts';
import { readOutbound, updateOutbound } from '#server/app/outbound.ts';
import { readRateLimits, updateRateLimits } from '#server/app/rate-limits.ts';
import type { Http } from './server.ts';

export function registerPlatform(http: Http, app: AppContext): void {
  http.register(api.rateLimitsGet, async ({ caller }) => readRateLimits(app, caller));
  http.register(api.rateLimitsUpdate, async ({ caller, body }) => updateRateLimits(app, caller, body));
  http.register(api.controlAccessGet, async ({ caller }) => readControlAccess(app, caller));
  http.register(api.controlAccessUpdate, async ({ caller, body }) => updateControlAccess(app, caller, body));
  http.register(api.outboundGet, async ({ caller }) => readOutbound(app, caller));
  http.register(api.outboundUpdate, async ({ caller, body }) => updateOutbound(app, caller, body));
}
