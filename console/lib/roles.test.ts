import { describe, expect, it } from 'vitest';
import { actions, roleMay, roles } from '#domain/authz.ts';
import { actionGroups } from './roles.ts';

describe('the table of roles', () => {
  const rows = actionGroups.flatMap((group) => group.rows);

  it('I4: has every action once, with exactly the roles that allow it', () => {
    expect(rows.map((row) => row.action).sort()).toEqual([...actions].sort());
    for (const row of rows) {
      for (const role of roles)
        expect(row.roles.includes(role), `${role} ${row.action}`).toBe(roleMay(role, row.action));
    }
  });

  it('says something different about every action of a noun', () => {
    for (const { noun, rows: own } of actionGroups) {
      expect(new Set(own.map((row) => row.words)).size, noun).toBe(own.length);
    }
  });
});
