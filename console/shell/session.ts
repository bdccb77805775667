import { useQuery } from '@tanstack/react-query';
import { useLocation, useParams } from '@tanstack/react-router';
import type { Action } from '#domain/authz.ts';
import { roleMay } from '#domain/authz.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import type { Membership, Project, Session } from '../lib/scope.ts';
import { defaultProject, findMembership, findProject } from '../lib/scope.ts';

export const sessionQuery = { ...apiQuery('whoami', {}), staleTime: 60_000 };

/** Somebody is signed in from now on: nothing of whoever was before is kept. */
export function beginSession(session: Session): void {
  queryClient.clear();
  queryClient.setQueryData(sessionQuery.queryKey, session);
}

/** The signed-in person. Only below the shell route, whose loader has fetched it. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  const session = data ?? queryClient.getQueryData(sessionQuery.queryKey);
  if (session === undefined) throw new Error('useSession is for pages below the shell');
  return session;
}

export type Scope = { session: Session; project: Project | undefined; membership: Membership | undefined };

/** Project and organization in view, also on pages whose address names none. */
export function useScope(): Scope {
  const session = useSession();
  const params = useParams({ strict: false }) as { project?: string; organization?: string };
  const named = params.organization === undefined ? undefined : findMembership(session, params.organization);
  const project =
    params.project === undefined
      ? named === undefined
        ? defaultProject(session)
        : (session.projects.find(
            (each) => each.organization === named.organization.id && each.id === defaultProject(session)?.id,
          ) ?? session.projects.find((each) => each.organization === named.organization.id))
      : findProject(session, params.project);
  const membership =
    named ??
    session.memberships.find((each) => each.organization.id === project?.organization) ??
    session.memberships[0];
  return { session, project, membership };
}

/** The organization in view, while the person is in it as an administrator of the installation only for a time. */
export function useEntered(): Membership | undefined {
  const { membership } = useScope();
  // Pages of the account and of the installation belong to no organization.
  const inside = useLocation({ select: ({ pathname }) => /^\/(p|o|operations)\//.test(pathname) });
  return inside && membership?.entry != null ? membership : undefined;
}

/** The project in view. Only below the project route, which answers "not found" otherwise. */
export function useProject(): Project {
  const { project } = useScope();
  if (project === undefined) throw new Error('useProject is for pages of a project');
  return project;
}

/** Whether the person's role allows it; the API decides, this only spares people a refusal. */
export function useMay(action: Action): boolean {
  const { membership, project } = useScope();
  const inProject = (useParams({ strict: false }) as { project?: string }).project !== undefined;
  const role = inProject && project !== undefined ? project.role : membership?.role;
  return role !== undefined && roleMay(role, action);
}
