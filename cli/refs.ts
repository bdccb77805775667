/** From what people type (a name or an id) to one thing of the API. Several hits are an error that lists them. */
import { isId } from '#domain/ids.ts';
import { isServiceHandle } from '#domain/service-accounts.ts';
import type { BerthClient, OutputOf } from './client.ts';
import { CliError, usageError } from './errors.ts';
import type { ProjectRef, Runtime } from './runtime.ts';

export type Instance = OutputOf<'instancesGet'>;
export type Snapshot = OutputOf<'snapshotsList'>['items'][number];
export type Route = OutputOf<'routesCreate'>;
export type SecurityGroup = OutputOf<'securityGroupsCreate'>;
export type Domain = OutputOf<'domainsCheck'>;
export type Forward = OutputOf<'forwardsCreate'>;
export type Backup = OutputOf<'backupsGet'>;
export type Image = OutputOf<'imagesList'>['items'][number];
export type Host = OutputOf<'hostsGet'>;
export type Member = OutputOf<'membersUpdate'>;

/** Rows a list command fetches at most, over all pages. */
export const LIST_ROWS_MAX = 1000;

type Page<T> = { items: T[]; nextCursor: string | null };

/** Walks pages until `limit` rows are there. `nextCursor` is where the rest begins. */
export async function collect<T>(
  limit: number,
  page: (query: { cursor?: string; limit: number }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const next: Page<T> = await page({
      ...(cursor === null ? {} : { cursor }),
      limit: Math.min(200, limit - items.length),
    });
    items.push(...next.items);
    cursor = next.nextCursor;
  } while (cursor !== null && items.length < limit);
  return { items, nextCursor: cursor };
}

function missing(what: string, name: string, known: readonly string[]): CliError {
  const near = closest(name, known);
  return new CliError('notFound', `There is no ${what} "${name}", or you may not see it.`, {
    code: 'not_found',
    hint:
      near !== null
        ? `Did you mean "${near}"?`
        : known.length === 0
          ? `There is no ${what} at all yet.`
          : `There are: ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', ...' : ''}.`,
  });
}

/** The known word nearest to a mistyped one, or null when none is near. */
export function closest(word: string, known: readonly string[]): string | null {
  let best: { text: string; distance: number } | null = null;
  for (const text of known) {
    const distance = editDistance(word, text);
    if (best === null || distance < best.distance) best = { text, distance };
  }
  return best !== null && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.text : null;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

async function instancesNamed(client: BerthClient, project: string, archived: boolean): Promise<Instance[]> {
  const page = await collect(LIST_ROWS_MAX, (query) =>
    client.call('instancesList', { params: { project }, query: { ...query, archived: archived ? 'true' : 'false' } }),
  );
  return page.items;
}

/** An instance by id, or by name in the project in force. `archived`: look among the deleted ones (too). */
export async function findInstance(
  berth: Runtime,
  ref: string,
  where: 'live' | 'archived' | 'both' = 'live',
): Promise<Instance> {
  const client = await berth.client();
  if (isId('ins', ref)) return client.call('instancesGet', { params: { instance: ref } });
  const project = await berth.project();
  const all: Instance[] = [];
  if (where !== 'archived') all.push(...(await instancesNamed(client, project.id, false)));
  if (where !== 'live') all.push(...(await instancesNamed(client, project.id, true)));
  const wanted = where === 'archived' ? all.filter((instance) => instance.phase === 'archived') : all;
  const unique = [...new Map(wanted.map((instance) => [instance.id, instance])).values()];
  const found = unique.filter((instance) => instance.name === ref);
  if (found.length > 1) {
    throw usageError(
      `Several instances are called "${ref}".`,
      `Use an id: ${found.map((item) => item.id).join(', ')}.`,
    );
  }
  if (found[0] === undefined) {
    throw missing(
      where === 'archived' ? 'deleted instance' : 'instance',
      ref,
      unique.map((instance) => instance.name),
    );
  }
  return found[0];
}

/** A project by id, by name, or as ORGANIZATION/PROJECT. */
export async function findProject(berth: Runtime, ref: string): Promise<ProjectRef> {
  const { projects, memberships } = await berth.whoami();
  const ownerOf = (project: ProjectRef): string =>
    memberships.find((each) => each.organization.id === project.organization)?.organization.name ??
    project.organization;
  const found = projects.filter(
    (project) => project.id === ref || project.name === ref || `${ownerOf(project)}/${project.name}` === ref,
  );
  const known = projects.map((project) => `${ownerOf(project)}/${project.name}`);
  if (found.length > 1) {
    throw usageError(`Several projects are called "${ref}".`, `Say which: ${known.join(', ')}.`);
  }
  if (found[0] === undefined) throw missing('project', ref, known);
  return found[0];
}

export async function findSnapshot(berth: Runtime, instance: Instance, ref: string): Promise<Snapshot> {
  const client = await berth.client();
  const { items } = await client.call('snapshotsList', { params: { instance: instance.id } });
  const found = items.filter((snapshot) => snapshot.id === ref || snapshot.name === ref);
  if (found.length > 1) {
    throw usageError(
      `Several snapshots are called "${ref}".`,
      `Use an id: ${found.map((item) => item.id).join(', ')}.`,
    );
  }
  if (found[0] === undefined)
    throw missing(
      'snapshot',
      ref,
      items.map((snapshot) => snapshot.name),
    );
  return found[0];
}

/** A domain by id or name in the project in force. */
export async function findDomain(berth: Runtime, ref: string): Promise<Domain> {
  const client = await berth.client();
  const project = await berth.project();
  const { items } = await client.call('domainsList', { params: { project: project.id } });
  const found = items.find((domain) => domain.id === ref || domain.name === ref.toLowerCase());
  if (found !== undefined) return found;
  throw missing(
    'domain',
    ref,
    items.map((domain) => domain.name),
  );
}

/** Host name, and the path when it is not all of it: 'shop.example.com/api'. */
export function routePlace(route: Route): string {
  return route.path === '/' ? route.hostname : route.hostname + route.path;
}

/** A route by id, host name, or host name and path in the project in force. */
export async function findRoute(berth: Runtime, ref: string): Promise<Route> {
  const client = await berth.client();
  const project = await berth.project();
  const page = await collect(LIST_ROWS_MAX, (query) =>
    client.call('routesListProject', { params: { project: project.id }, query }),
  );
  const found = page.items.find((route) => route.id === ref || routePlace(route) === ref.toLowerCase());
  if (found === undefined) throw missing('route', ref, page.items.map(routePlace));
  return found;
}

/** A security group by id or name in the project in force. */
export async function findSecurityGroup(berth: Runtime, ref: string): Promise<SecurityGroup> {
  const project = await berth.project();
  const { items } = await (await berth.client()).call('securityGroupsList', { params: { project: project.id } });
  const found = items.find((group) => group.id === ref || group.name === ref);
  if (found === undefined)
    throw missing(
      'security group',
      ref,
      items.map((group) => group.name),
    );
  return found;
}

/** A port forward by id, or as `udp/20000`, in the project in force. */
export async function findForward(berth: Runtime, ref: string): Promise<Forward> {
  const client = await berth.client();
  const project = await berth.project();
  const page = await collect(LIST_ROWS_MAX, (query) =>
    client.call('forwardsListProject', { params: { project: project.id }, query }),
  );
  const named = (forward: Forward) => `${forward.protocol}/${forward.hostPort}`;
  const found = page.items.find((forward) => forward.id === ref || named(forward) === ref.toLowerCase());
  if (found === undefined) throw missing('port forward', ref, page.items.map(named));
  return found;
}

/** A backup by id, or the newest one of an instance by its name, in the project in force. */
export async function findBackup(berth: Runtime, ref: string): Promise<Backup> {
  const client = await berth.client();
  if (isId('cpy', ref)) return client.call('backupsGet', { params: { backup: ref } });
  const project = await berth.project();
  const page = await collect(LIST_ROWS_MAX, (query) =>
    client.call('backupsListProject', { params: { project: project.id }, query }),
  );
  const found = page.items.find((backup) => backup.instanceName === ref && backup.state === 'ready');
  if (found !== undefined) return found;
  throw missing('backup of', ref, [...new Set(page.items.map((backup) => backup.instanceName))]);
}

export async function findImage(berth: Runtime, ref: string): Promise<Image> {
  const client = await berth.client();
  const { items } = await client.call('imagesList', {});
  const found = items.find((image) => image.id === ref || image.name === ref);
  if (found === undefined)
    throw missing(
      'image',
      ref,
      items.map((image) => image.name),
    );
  return found;
}

export async function findHost(berth: Runtime, ref: string): Promise<Host> {
  const client = await berth.client();
  const { items } = await client.call('hostsList', {});
  const found = items.find((host) => host.id === ref || host.name === ref);
  if (found === undefined)
    throw missing(
      'host',
      ref,
      items.map((host) => host.name),
    );
  return found;
}

/** A member by user id or e-mail address. */
export async function findMember(berth: Runtime, organization: string, ref: string): Promise<Member> {
  const client = await berth.client();
  const page = await collect(LIST_ROWS_MAX, (query) => client.call('membersList', { params: { organization }, query }));
  const found = page.items.find((member) => member.user.id === ref || member.user.email === ref.toLowerCase());
  if (found === undefined)
    throw missing(
      'member',
      ref,
      page.items.map((member) => member.user.email),
    );
  return found;
}

export type Group = OutputOf<'groupsList'>['items'][number];

/** A group by id or name. */
export async function findGroup(berth: Runtime, organization: string, ref: string): Promise<Group> {
  const { items } = await (await berth.client()).call('groupsList', { params: { organization } });
  const found = items.find((group) => group.id === ref || group.name === ref);
  if (found !== undefined) return found;
  throw missing(
    'group',
    ref,
    items.map((group) => group.name),
  );
}

export type ServiceAccount = OutputOf<'serviceAccountsList'>['items'][number];

/** A service account by id, name or handle (service:<name>). */
export async function findServiceAccount(berth: Runtime, organization: string, ref: string): Promise<ServiceAccount> {
  const { items } = await (await berth.client()).call('serviceAccountsList', { params: { organization } });
  const found = items.find((account) => [account.id as string, account.name, account.handle].includes(ref));
  if (found !== undefined) return found;
  throw missing(
    'service account',
    ref,
    items.map((account) => account.name),
  );
}

/** A person (e-mail or id) or a service account (service:<name>). */
export async function findPrincipal(
  berth: Runtime,
  organization: string,
  ref: string,
): Promise<{ id: Member['user']['id']; email: string }> {
  if (!isServiceHandle(ref) && !isId('usr', ref)) return (await findMember(berth, organization, ref)).user;
  const { items } = await (await berth.client()).call('serviceAccountsList', { params: { organization } });
  const found = items.find((account) => account.id === ref || account.handle === ref);
  if (found !== undefined) return { id: found.id, email: found.handle };
  if (!isServiceHandle(ref)) return (await findMember(berth, organization, ref)).user;
  throw missing(
    'service account',
    ref,
    items.map((account) => account.handle),
  );
}

/** A person (e-mail or id), a service account (service:<name>) or a group (name or id). */
export async function findSubject(
  berth: Runtime,
  organization: string,
  ref: string,
): Promise<Member['user']['id'] | Group['id']> {
  if (ref.includes('@') || isServiceHandle(ref) || isId('usr', ref)) {
    return (await findPrincipal(berth, organization, ref)).id;
  }
  return (await findGroup(berth, organization, ref)).id;
}
