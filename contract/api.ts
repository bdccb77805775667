/** The whole API: one table. Order is the order of the reference page. */
import { accountRoutes } from './account.ts';
import { addressSetRoutes } from './address-sets.ts';
import { auditRoutes } from './audit.ts';
import { backupRoutes } from './backups.ts';
import { containerRoutes } from './containers.ts';
import { controlAccessRoutes } from './control-access.ts';
import { dataRoutes } from './data.ts';
import { dnsProviderRoutes } from './dns-providers.ts';
import { domainRoutes } from './domains.ts';
import { egressRoutes } from './egress.ts';
import { entryRoutes } from './entries.ts';
import { eventRoutes } from './events.ts';
import { factorRoutes } from './factors.ts';
import { fileRoutes } from './files.ts';
import { flowRoutes } from './flows.ts';
import { forwardRoutes } from './forwards.ts';
import { grantRoutes } from './grants.ts';
import { groupRoutes } from './groups.ts';
import { hostRoutes } from './hosts.ts';
import { identityRoutes } from './identity.ts';
import { identityProviderRoutes } from './identity-providers.ts';
import { imageRoutes } from './images.ts';
import { instanceRoutes } from './instances.ts';
import { keyRoutes } from './keys.ts';
import { mailRoutes } from './mail.ts';
import { metricRoutes } from './metrics.ts';
import { oauthRoutes } from './oauth.ts';
import { oidcClientRoutes } from './oidc-clients.ts';
import { operationRoutes } from './operations.ts';
import { organizationRoutes } from './organizations.ts';
import { outboundRoutes } from './outbound.ts';
import { platformCertificateRoutes } from './platform-certificate.ts';
import { quotaRoutes } from './quotas.ts';
import { rateLimitRoutes } from './rate-limits.ts';
import { registrationRoutes } from './registration.ts';
import { registryRoutes } from './registry.ts';
import type { RouteDefinition } from './route.ts';
import { routeRoutes } from './routes.ts';
import { securityGroupRoutes } from './security-groups.ts';
import { serviceAccountRoutes } from './service-accounts.ts';
import { sshKeyRoutes } from './ssh-keys.ts';
import { sshRecordingRoutes } from './ssh-recordings.ts';
import { sshSessionRoutes } from './ssh-sessions.ts';
import { stackRoutes } from './stacks.ts';
import { systemRoutes } from './system.ts';
import { userRoutes } from './users.ts';

export const api = {
  ...identityRoutes,
  ...accountRoutes,
  ...registrationRoutes,
  ...sshKeyRoutes,
  ...factorRoutes,
  ...oauthRoutes,
  ...identityProviderRoutes,
  ...oidcClientRoutes,
  ...organizationRoutes,
  ...groupRoutes,
  ...grantRoutes,
  ...serviceAccountRoutes,
  ...entryRoutes,
  ...quotaRoutes,
  ...instanceRoutes,
  ...sshSessionRoutes,
  ...sshRecordingRoutes,
  ...routeRoutes,
  ...fileRoutes,
  ...stackRoutes,
  ...containerRoutes,
  ...domainRoutes,
  ...dnsProviderRoutes,
  ...platformCertificateRoutes,
  ...forwardRoutes,
  ...backupRoutes,
  ...securityGroupRoutes,
  ...addressSetRoutes,
  ...egressRoutes,
  ...flowRoutes,
  ...operationRoutes,
  ...imageRoutes,
  ...hostRoutes,
  ...metricRoutes,
  ...keyRoutes,
  ...auditRoutes,
  ...eventRoutes,
  ...rateLimitRoutes,
  ...outboundRoutes,
  ...controlAccessRoutes,
  ...systemRoutes,
  ...userRoutes,
  ...mailRoutes,
  ...registryRoutes,
  ...dataRoutes,
} as const;

export type Api = typeof api;
export type RouteName = keyof Api;
export const allRoutes: readonly RouteDefinition[] = Object.values(api);
