import { expect, it } from 'vitest';
import type { Role } from '#domain/authz.ts';
import type { Session } from '../lib/scope.ts';
import { navGroups } from './nav.ts';
import type { Scope } from './session.ts';

function scope(role: Role, inProject: Role = role, platformAdmin = false): Scope {
  const membership = { organization: { id: 'org_1', name: 'a', title: 'A' }, role };
  const project = { id: 'prj_1', name: 'main', title: 'Main', organization: 'org_1', role: inProject };
  const session = { user: { platformAdmin }, memberships: [membership], projects: [project] } as unknown as Session;
  return { session, membership: session.memberships[0], project: session.projects[0] };
}
const keys = (of: Scope) => navGroups(of).map((group) => group.entries.map((entry) => entry.key));

it('I4: a guest sees the apps that are shared with them and no way to anything else', () => {
  expect(keys(scope('guest'))).toEqual([['own-apps']]);
});

it('I4: a guest with a role in one project sees the project, and nothing of the organization', () => {
  const [apps, project, ...rest] = keys(scope('guest', 'member'));
  expect(apps).toEqual(['own-apps']);
  expect(project).toContain('instances');
  expect(rest).toEqual([['images']]);
});

it('I4: only administrators of the installation see its organizations and keys', () => {
  expect(keys(scope('owner')).flat()).not.toContain('organizations');
  expect(keys(scope('owner', 'owner', true)).flat()).toEqual(expect.arrayContaining(['organizations', 'keys']));
});

it('gives every page its own shortcut', () => {
  const all = navGroups(scope('owner', 'owner', true)).flatMap((group) => group.entries.map((entry) => entry.keys));
  expect(new Set(all).size).toBe(all.length);
});
