import { describe, expect, it } from 'vitest';
import type { Role } from '#domain/authz.ts';
import type { Session } from '../lib/scope.ts';
import { afterSwitch, firstProject } from './switch.ts';

const membership = (id: string, role: Role) => ({
  organization: { id, name: id.replace('org_', ''), title: id },
  role,
  needsSecondFactor: false,
  entry: null,
});
const session = {
  user: { platformAdmin: false },
  memberships: [membership('org_a', 'owner'), membership('org_b', 'admin'), membership('org_c', 'member')],
  projects: [
    { id: 'prj_1', name: 'main', title: 'Main', organization: 'org_a' },
    { id: 'prj_2', name: 'lab', title: 'Lab', organization: 'org_a' },
    { id: 'prj_3', name: 'main', title: 'Main', organization: 'org_b' },
    { id: 'prj_4', name: 'ships', title: 'Ships', organization: 'org_b' },
  ],
} as unknown as Session;

function to(organization: string, project?: string) {
  return {
    membership: session.memberships.find((each) => each.organization.name === organization)!,
    project: session.projects.find((each) => each.id === project),
  };
}
const toB = to('b', 'prj_3');

describe('I4: switching the organization keeps the page', () => {
  it.each([
    ['/o/a/audit', '/o/b/audit'],
    ['/o/org_a/audit', '/o/b/audit'],
    ['/o/a/members', '/o/b/members'],
    ['/o/a/settings', '/o/b/settings'],
    ['/p/prj_1/instances', '/p/prj_3/instances'],
    ['/p/prj_1/routes', '/p/prj_3/routes'],
    ['/p/lab', '/p/prj_3'],
    ['/p/lab/people', '/p/prj_3/people'],
    ['/p/lab/instances/new', '/p/prj_3/instances/new'],
  ])('%s becomes %s', (from, there) => {
    expect(afterSwitch(session, from, toB)).toBe(there);
  });

  it.each(['/p/prj_1/instances/atlas', '/p/prj_1/instances/atlas/terminal', '/p/lab/instances/%C3%A4'])(
    'the page of one instance, %s, becomes the list',
    (from) => {
      expect(afterSwitch(session, from, toB)).toBe('/p/prj_3/instances');
    },
  );

  it('what the role there does not show is not opened', () => {
    expect(afterSwitch(session, '/o/a/audit', to('c'))).toBe('/o/c/members');
    expect(afterSwitch(session, '/o/a/settings', to('c'))).toBe('/o/c/members');
    expect(afterSwitch(session, '/o/a/quotas', to('c'))).toBe('/o/c/quotas');
  });

  it('an organization without a project shows its members in place of a page of a project', () => {
    expect(afterSwitch(session, '/p/lab/instances', to('c'))).toBe('/o/c/members');
  });

  it('pages of neither lead to the project', () => {
    for (const from of ['/account/tokens', '/images', '/platform/users', '/operations/op_1', '/'])
      expect(afterSwitch(session, from, toB)).toBe('/p/prj_3');
  });

  it('within one organization the project is what changes', () => {
    expect(afterSwitch(session, '/p/prj_1/routes', to('a', 'prj_2'))).toBe('/p/lab/routes');
    expect(afterSwitch(session, '/o/a/audit', to('a', 'prj_2'))).toBe('/p/lab');
  });

  it('an organization is entered at its first project', () => {
    expect(firstProject(session, 'org_b')?.id).toBe('prj_3');
    expect(firstProject(session, 'org_c')).toBeUndefined();
  });
});
