/** Health of the control plane and facts about the installation. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { type HealthProbes, readHealth, systemInfo } from '#server/app/system.ts';
import type { Http } from './server.ts';

export function registerSystem(http: Http, app: AppContext, probes: HealthProbes): void {
  http.register(api.health, async () => ({ status: 'ok' as const, version: app.version }));
  http.register(api.ready, () => readHealth(probes));
  http.register(api.info, async () => systemInfo(app));
}
