/** Which project and organization the person is looking at: from the address, else what was used last, else the first. */
import type { OutputOf } from '../api/client.ts';
import { storage } from './store.ts';

export type Session = OutputOf<'whoami'>;
export type Project = Session['projects'][number];
export type Membership = Session['memberships'][number];

const LAST_PROJECT = 'berth.project';

/** What stands for a project in addresses: its name where that is unique among the person's projects, else its id. */
export function projectSlug(session: Session, project: Project): string {
  return session.projects.filter((each) => each.name === project.name).length === 1 ? project.name : project.id;
}

export function findProject(session: Session, slug: string): Project | undefined {
  return session.projects.find((each) => each.id === slug) ?? session.projects.find((each) => each.name === slug);
}

export function findMembership(session: Session, slug: string): Membership | undefined {
  return (
    session.memberships.find((each) => each.organization.id === slug) ??
    session.memberships.find((each) => each.organization.name === slug)
  );
}

export function rememberProject(project: Project): void {
  storage.set(LAST_PROJECT, project.id);
}

/** The project to open when the address names none; where only single apps are granted, there is nothing else to see. */
export function defaultProject(session: Session): Project | undefined {
  const last = storage.get(LAST_PROJECT);
  const inside = session.projects.filter((each) => each.role !== 'guest');
  return inside.find((each) => each.id === last) ?? inside[0];
}

/** Some apps are shared with the person where they are nobody else: they have the page "Apps". */
export function isSomewhereGuest(session: Session): boolean {
  return session.memberships.some((each) => each.role === 'guest');
}

/** The person is nobody but a guest: opens what is shared with them, and sees nothing else. */
export function isOnlyGuest({ memberships, projects, user }: Session): boolean {
  return (
    !user.platformAdmin &&
    memberships.length > 0 &&
    [...memberships, ...projects].every((each) => each.role === 'guest')
  );
}

const RETURN_LENGTH_MAX = 2_000;

/**
 * Only addresses of this console are followed after signing in: nothing may send people elsewhere. Browsers leave tabs
 * and line breaks out of addresses and read '\' as '/', so neither may stand in one.
 */
export function safeReturn(target: unknown): string | null {
  if (typeof target !== 'string' || target.length > RETURN_LENGTH_MAX) return null;
  return /^\/(?!\/)[^\\\s\p{Cc}]*$/u.test(target) ? target : null;
}
