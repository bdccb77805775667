import { expect, it } from 'vitest';
import type { Session } from './scope.ts';
import {
  defaultProject,
  findMembership,
  findProject,
  isOnlyGuest,
  isSomewhereGuest,
  projectSlug,
  safeReturn,
} from './scope.ts';

const session = {
  memberships: [{ organization: { id: 'org_1', name: 'a', title: 'A' }, role: 'owner' }],
  projects: [
    { id: 'prj_1', name: 'main', title: 'Main', organization: 'org_1' },
    { id: 'prj_2', name: 'main', title: 'Main', organization: 'org_2' },
    { id: 'prj_3', name: 'lab', title: 'Lab', organization: 'org_2' },
  ],
} as unknown as Session;

it('follows only addresses of this console after signing in', () => {
  expect(safeReturn('/p/main/instances?q=1')).toBe('/p/main/instances?q=1');
  for (const bad of [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    '',
    undefined,
    7,
  ])
    expect(safeReturn(bad)).toBeNull();
});

it('uses a project’s name in addresses where it is unique, else its id', () => {
  expect(session.projects.map((each) => projectSlug(session, each))).toEqual(['prj_1', 'prj_2', 'lab']);
  expect(findProject(session, 'prj_2')?.id).toBe('prj_2');
  expect(findProject(session, 'lab')?.id).toBe('prj_3');
  expect(findProject(session, 'none')).toBeUndefined();
  expect(findMembership(session, 'a')?.organization.id).toBe('org_1');
});

it('I4: a guest has no project to be in, only apps; a role anywhere else changes that', () => {
  const guest = (role: string, platformAdmin = false) =>
    ({
      user: { platformAdmin },
      memberships: [{ organization: { id: 'org_1', name: 'a', title: 'A' }, role: 'guest' }],
      projects: [
        { id: 'prj_1', name: 'main', title: 'Main', organization: 'org_1', role: 'guest' },
        { id: 'prj_2', name: 'lab', title: 'Lab', organization: 'org_1', role },
      ],
    }) as unknown as Session;
  expect(defaultProject(guest('guest'))).toBeUndefined();
  expect(isOnlyGuest(guest('guest'))).toBe(true);
  expect(defaultProject(guest('viewer'))?.id).toBe('prj_2');
  expect(isOnlyGuest(guest('viewer'))).toBe(false);
  expect(isSomewhereGuest(guest('viewer'))).toBe(true);
  expect(isOnlyGuest(guest('guest', true))).toBe(false);
  expect(isOnlyGuest({ ...guest('guest'), memberships: [], projects: [] })).toBe(false);
});
