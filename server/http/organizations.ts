/** Endpoints of organizations and projects. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createOrganization,
  createProject,
  deleteOrganization,
  deleteProject,
  listOrganizationProjects,
  type PresentedOrganization,
  type PresentedProject,
  readOrganization,
  readProject,
  updateOrganization,
  updateProject,
} from '#server/app/organizations.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentOrganization(organization: PresentedOrganization) {
  return { ...organization, createdAt: iso(organization.createdAt) };
}

function presentProject({ id, organization, name, title, createdAt, can }: PresentedProject) {
  return { id, organization, name, title, createdAt: iso(createdAt), can };
}

export function registerOrganizations(http: Http, app: AppContext): void {
  http.register(api.organizationsGet, async ({ caller, params }) =>
    presentOrganization(await readOrganization(app, caller, params.organization)),
  );
  http.register(api.organizationsUpdate, async ({ caller, params, body }) =>
    presentOrganization(await updateOrganization(app, caller, params.organization, body)),
  );
  http.register(api.organizationsCreate, async ({ caller, body }) =>
    presentOrganization(await createOrganization(app, caller, body)),
  );
  http.register(api.projectsList, async ({ caller, params }) => ({
    items: (await listOrganizationProjects(app, caller, params.organization)).map(presentProject),
  }));
  http.register(api.projectsCreate, async ({ caller, params, body }) =>
    presentProject(await createProject(app, caller, params.organization, body)),
  );
  http.register(api.projectsGet, async ({ caller, params }) =>
    presentProject(await readProject(app, caller, params.project)),
  );
  http.register(api.organizationsDelete, async ({ caller, params }) => {
    await deleteOrganization(app, caller, params.organization);
    return undefined;
  });
  http.register(api.projectsUpdate, async ({ caller, params, body }) =>
    presentProject(await updateProject(app, caller, params.project, body)),
  );
  http.register(api.projectsDelete, async ({ caller, params }) => {
    await deleteProject(app, caller, params.project);
    return undefined;
  });
}
