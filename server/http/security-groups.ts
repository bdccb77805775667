/** Endpoints of security groups. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createSecurityGroup,
  deleteSecurityGroup,
  listSecurityGroups,
  updateSecurityGroup,
} from '#server/app/security-groups.ts';
import type { Http } from './server.ts';

export function registerSecurityGroups(http: Http, app: AppContext): void {
  http.register(api.securityGroupsList, async ({ caller, params }) => ({
    items: await listSecurityGroups(app, caller, params.project),
  }));
  http.register(api.securityGroupsCreate, async ({ caller, params, body }) =>
    createSecurityGroup(app, caller, params.project, body),
  );
  http.register(api.securityGroupsUpdate, async ({ caller, params, body }) =>
    updateSecurityGroup(app, caller, params.group, body),
  );
  http.register(api.securityGroupsDelete, async ({ caller, params }) => {
    await deleteSecurityGroup(app, caller, params.group);
    return undefined;
  });
}
