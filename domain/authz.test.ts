import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  actions,
  ENTRY_ROLE,
  grantPermissions,
  highestRole,
  holdingMay,
  mayChangeRole,
  mayGrant,
  permissionTable,
  platformActions,
  platformMay,
  roleMay,
  roleRank,
  roles,
} from './authz.ts';

describe('I4: role arithmetic', () => {
  it('every role may do all that a lower role may', () => {
    for (const higher of roles) {
      for (const lower of roles) {
        if (roleRank(higher) < roleRank(lower)) continue;
        for (const action of permissionTable[lower]) expect(roleMay(higher, action), `${higher} ${action}`).toBe(true);
      }
    }
  });
  it('every action belongs to at least the owner, and no role lists an unknown or doubled action', () => {
    for (const action of actions) expect(roleMay('owner', action), action).toBe(true);
    for (const role of roles) {
      expect(new Set(permissionTable[role]).size).toBe(permissionTable[role].length);
      for (const action of permissionTable[role]) expect(actions).toContain(action);
    }
  });
  it('I4: no action is allowed to everybody and none to nobody', () => {
    for (const action of actions) {
      expect(
        roles.filter((role) => !roleMay(role, action)),
        action,
      ).not.toEqual([]);
      expect(roleMay('owner', action), action).toBe(true);
    }
    // Allowed to everybody who is signed in; this list may only shrink.
    expect(platformActions.filter((action) => platformMay(false, action))).toEqual(['platform.image.read']);
    for (const action of platformActions) expect(platformMay(true, action), action).toBe(true);
  });
  it('a viewer changes nothing and sees no screen, terminal or log', () => {
    const looks = ['.read', '.list', '.inspect'];
    expect(permissionTable.viewer.every((action) => looks.some((look) => action.endsWith(look)))).toBe(true);
    expect(permissionTable.guest).toEqual([]);
  });
  it('nobody hands out or takes away more than they hold', () => {
    const role = fc.constantFrom(...roles);
    const maybe = fc.option(role, { nil: null });
    fc.assert(
      fc.property(role, maybe, maybe, (actor, from, to) => {
        if (!mayChangeRole(actor, from, to)) return;
        expect(roleMay(actor, 'member.update')).toBe(true);
        if (from !== null) expect(roleRank(from)).toBeLessThanOrEqual(roleRank(actor));
        if (to !== null) expect(roleRank(to)).toBeLessThanOrEqual(roleRank(actor));
      }),
    );
    expect(mayChangeRole('admin', 'owner', 'member')).toBe(false);
    expect(mayChangeRole('admin', 'member', 'owner')).toBe(false);
    expect(mayChangeRole('admin', 'admin', null)).toBe(false);
    expect(mayChangeRole('operator', 'viewer', 'member')).toBe(false);
  });
  const role = fc.constantFrom(...roles);
  const held = fc.array(fc.option(role, { nil: null }), { maxLength: 6 });
  const permissions = fc.subarray([...grantPermissions]);
  it('the effective role is the highest held, whatever the order, and never more than that', () => {
    fc.assert(
      fc.property(held, (all) => {
        const highest = highestRole(all);
        const real = all.filter((one) => one !== null);
        expect(highest === null).toBe(real.length === 0);
        if (highest === null) return;
        expect(real).toContain(highest);
        for (const one of real) expect(roleRank(one)).toBeLessThanOrEqual(roleRank(highest));
        expect(highestRole([...all].reverse())).toBe(highest);
      }),
    );
  });
  it('monotone: one more role, group or grant never takes a right away', () => {
    fc.assert(
      fc.property(held, role, permissions, permissions, (all, more, some, others) => {
        const before = { role: highestRole(all), permissions: some };
        const after = { role: highestRole([...all, more]), permissions: [...some, ...others] };
        for (const action of actions) {
          if (holdingMay(before, action)) expect(holdingMay(after, action), action).toBe(true);
        }
      }),
    );
  });
  it('a grant alone gives reading this one app and what it names, and nothing that changes or reveals more', () => {
    for (const permission of grantPermissions) {
      const may = actions.filter((action) => holdingMay({ role: null, permissions: [permission] }, action));
      expect(may.sort()).toEqual(['instance.read', `instance.${permission}`].sort());
    }
    expect(actions.some((action) => holdingMay({ role: 'guest', permissions: [] }, action))).toBe(false);
  });
  it('no escalation: any chain of role changes and grants by the holders of a role stays within that role', () => {
    fc.assert(
      fc.property(role, fc.array(fc.tuple(role, role), { maxLength: 20 }), (start, steps) => {
        // Everybody in the chain is made by somebody before them.
        const people = [start];
        for (const [from, to] of steps) {
          if (people.some((actor) => mayChangeRole(actor, from, to))) people.push(to);
        }
        for (const person of people) expect(roleRank(person)).toBeLessThanOrEqual(roleRank(start));
      }),
    );
    fc.assert(
      fc.property(role, fc.constantFrom(...grantPermissions), (actor, permission) => {
        if (!mayGrant(actor, permission)) return;
        for (const action of actions) {
          if (holdingMay({ role: null, permissions: [permission] }, action)) expect(roleMay(actor, action)).toBe(true);
        }
      }),
    );
  });
  it('an entry of an administrator changes no members, groups, grants or projects', () => {
    for (const action of permissionTable[ENTRY_ROLE]) {
      expect(action, action).not.toMatch(/^(member|group|grant|entry|project|organization)\.(?!read)/);
    }
  });
  it('platform administration is separate: without it only images can be read', () => {
    for (const action of platformActions) expect(platformMay(false, action)).toBe(action === 'platform.image.read');
    for (const action of platformActions) expect(platformMay(true, action)).toBe(true);
  });
});
