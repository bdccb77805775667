/** Where the console goes when somebody switches to another project or organization: the same page, if it is there. */
import { type Membership, type Project, projectSlug, type Session } from '../lib/scope.ts';
import { navGroups } from './nav.ts';

/**
 * The address to go to from `pathname`. A page of the organization stays that page, of the other organization; a page of
 * a project stays that page, of the other project; a page of one thing becomes the list it is in. Pages that the person
 * may not see there, and those that belong to neither, lead to the project; without one, to the members.
 */
export function afterSwitch(
  session: Session,
  pathname: string,
  to: { membership: Membership; project: Project | undefined },
): string {
  const [area, from, page = '', sub] = pathname.split('/').slice(1).map(decodeURIComponent);
  const { organization } = to.membership;
  const offered = new Set(navGroups({ session, ...to }).flatMap((group) => group.entries.map((entry) => entry.href)));
  const home = to.project === undefined ? `/o/${organization.name}/members` : `/p/${projectSlug(session, to.project)}`;
  // Within one organization, its pages do not depend on the project: who chooses a project wants to see that.
  if (area === 'o' && from !== organization.name && from !== organization.id) {
    const same = `/o/${organization.name}/${page}`;
    return offered.has(same) ? same : home;
  }
  if (area === 'p' && to.project !== undefined && page !== '') {
    const same = `${home}/${page}`;
    if (offered.has(same)) return sub === 'new' ? `${same}/new` : same;
  }
  return home;
}

/** The project to be in after choosing an organization. */
export function firstProject(session: Session, organization: string): Project | undefined {
  return session.projects.find((each) => each.organization === organization);
}
