import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  actions,
  mayChangeRole,
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
  it('a viewer changes nothing and sees no screen, terminal or log', () => {
    expect(permissionTable.viewer.every((action) => action.endsWith('.read'))).toBe(true);
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
  it('platform administration is separate: without it only images can be read', () => {
    for (const action of platformActions) expect(platformMay(false, action)).toBe(action === 'platform.image.read');
    for (const action of platformActions) expect(platformMay(true, action)).toBe(true);
  });
});
