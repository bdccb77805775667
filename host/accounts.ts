/** System users and groups, and the id ranges that unprivileged guests need. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from './files.ts';
import type { ProcessUser } from './process-spec.ts';
import { must } from './run.ts';

/** One user per process that needs no root. */
export const systemUsers = [
  'berth-db',
  'berth-server',
  'berth-edge',
  'berth-caddy',
  'berth-ssh',
  'berth-registry',
  'berth-dns',
] as const;
export type SystemUser = (typeof systemUsers)[number];
/** Who may open which socket: berth-sql the database's, berth-agent the agent's, berth-web the server's and edge's. */
export const systemGroups = ['berth-sql', 'berth-agent', 'berth-web'] as const;
export type SystemGroup = (typeof systemGroups)[number];

/** First id and size of root's range when it has none: outside what distributions hand to people. */
export const SUBID_FIRST = 1_000_000;
export const SUBID_COUNT = 1_000_000_000;
/** Enough for a hundred instances; a smaller range of root's is replaced by a second line, never edited. */
export const SUBID_COUNT_MIN = 65_536 * 100;
const SUBID_LAST = 4_294_000_000;

/**
 * The text of /etc/subuid (or subgid) with a large range for root. Lines that exist stay as they are; the new range
 * starts after all of them. Returns the text unchanged when root has enough.
 */
export function mergeSubids(text: string): string {
  const ranges = text.split('\n').flatMap((line) => {
    const [name, first, count] = line.split(':');
    const range = { name, first: Number(first), count: Number(count) };
    return Number.isInteger(range.first) && Number.isInteger(range.count) && count !== undefined ? [range] : [];
  });
  if (ranges.some((range) => (range.name === 'root' || range.name === '0') && range.count >= SUBID_COUNT_MIN))
    return text;
  let first = SUBID_FIRST;
  for (const range of ranges) first = Math.max(first, range.first + range.count);
  const count = Math.min(SUBID_COUNT, SUBID_LAST - first);
  if (count < SUBID_COUNT_MIN)
    throw new Error('there is no room for a range of ids for root in /etc/subuid and /etc/subgid');
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${start}root:${first}:${count}\n`;
}

/** True when a file was changed. The engine reads these at its start. */
export function ensureSubids(): boolean {
  let changed = false;
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const after = mergeSubids(before);
    if (after === before) continue;
    writeFileAtomic(file, after, 0o644);
    changed = true;
  }
  return changed;
}

function entry(file: string, name: string): string[] | null {
  if (!existsSync(file)) return null;
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  return line?.split(':') ?? null;
}

export function groupId(name: string): number | null {
  const found = entry('/etc/group', name);
  return found === null ? null : Number(found[2]);
}

export function userIds(name: string): { uid: number; gid: number } | null {
  const found = entry('/etc/passwd', name);
  return found === null ? null : { uid: Number(found[2]), gid: Number(found[3]) };
}

export function accountsExist(): boolean {
  return systemUsers.every((name) => userIds(name) !== null) && systemGroups.every((name) => groupId(name) !== null);
}

export async function ensureAccounts(): Promise<void> {
  for (const group of systemGroups) {
    if (groupId(group) === null) await must(['groupadd', '--system', group]);
  }
  for (const user of systemUsers) {
    if (userIds(user) !== null) continue;
    await must([
      'useradd',
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      user,
    ]);
  }
}

/** A user with the groups its process gets. Error when `ensureAccounts` has not run. */
export function processUser(name: SystemUser, groups: readonly SystemGroup[] = []): ProcessUser {
  const ids = userIds(name);
  if (ids === null) throw new Error(`the user ${name} does not exist`);
  const gids = groups.map((group) => {
    const gid = groupId(group);
    if (gid === null) throw new Error(`the group ${group} does not exist`);
    return gid;
  });
  return { ...ids, groups: gids, name };
}

/** Name of a group id; the number when it has none. */
export function groupName(gid: number): string {
  const lines = existsSync('/etc/group') ? readFileSync('/etc/group', 'utf8').split('\n') : [];
  return lines.find((line) => line.split(':')[2] === String(gid))?.split(':')[0] ?? String(gid);
}
