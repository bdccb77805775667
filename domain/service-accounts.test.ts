import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actions, highestRole, type Role, roleMay, roles } from './authz.ts';
import { nameProblem } from './names.ts';
import { isServiceHandle, mayManageService, serviceHandle, serviceRole, serviceRoles } from './service-accounts.ts';

const role = fc.constantFrom(...roles);
const held = fc.array(fc.option(role), { maxLength: 5 });
const mayAll = (role: Role | null) => actions.filter((action) => role !== null && roleMay(role, action));

describe('I2: service accounts in the arithmetic of roles', () => {
  it('nobody makes, changes or speaks for one that may do anything which they may not', () => {
    fc.assert(
      fc.property(role, held, fc.constantFrom(...serviceRoles), (actor, holds, to) => {
        if (!mayManageService(actor, highestRole(holds), to)) return;
        const mine = mayAll(actor);
        expect(mine).toEqual(expect.arrayContaining(mayAll(serviceRole([...holds, to]))));
      }),
    );
  });

  it('who may change no people may change no service account; nobody does without a role', () => {
    fc.assert(
      fc.property(role, held, (actor, holds) => {
        if (!roleMay(actor, 'member.update')) expect(mayManageService(actor, highestRole(holds))).toBe(false);
      }),
    );
    for (const to of serviceRoles) expect(mayManageService(null, null, to)).toBe(false);
  });

  it('whatever it holds, it is never an owner, and loses nothing else by that', () => {
    fc.assert(
      fc.property(held, (holds) => {
        const role = serviceRole(holds);
        expect(role).not.toBe('owner');
        if (highestRole(holds) !== 'owner') expect(role).toBe(highestRole(holds));
        else expect(role).toBe('admin');
      }),
    );
  });

  it('its handle is no address', () => {
    expect(nameProblem('deploy')).toBeNull();
    expect(serviceHandle('deploy')).toBe('service:deploy');
    expect(isServiceHandle('service:deploy')).toBe(true);
    expect(isServiceHandle('service@example.test')).toBe(false);
  });
});
