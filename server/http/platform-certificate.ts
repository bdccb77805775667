/** Endpoints of the platform domain's wildcard certificate. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { getPlatformCertificate, updatePlatformCertificate } from '#server/app/platform-certificate.ts';
import type { Http } from './server.ts';

export function registerPlatformCertificate(http: Http, app: AppContext): void {
  http.register(api.platformCertificateGet, async ({ caller }) => getPlatformCertificate(app, caller));
  http.register(api.platformCertificateUpdate, async ({ caller, body }) =>
    updatePlatformCertificate(app, caller, body),
  );
}
