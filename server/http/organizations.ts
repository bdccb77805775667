/** Endpoints of organizations and projects. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createOrganization,
  createProject,
  listOrganizationProjects,
  readOrganization,
  readProject,
  updateOrganization,
} from '#server/app/organizations.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentOrganization(organization: { id: string; name: string; title: string; createdAt: Date }) {
  return {
    id: organization.id,
    name: organization.name,
    title: organization.title,
    createdAt: iso(organization.createdAt),
  };
}

function presentProject(project: { id: string; organization: string; name: string; title: string; createdAt: Date }) {
  return {
    id: project.id,
    organization: project.organization,
    name: project.name,
    title: project.title,
    createdAt: iso(project.createdAt),
  };
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
}
