import { describe, expect, it } from 'vitest';
import { actions, platformActions, roles } from '#domain/authz.ts';
import { allRoutes } from './api.ts';
import { callers, mayCall, stalePages } from './permissions.ts';

describe('I4: permissions', () => {
  it('the checked-in tables are fresh (run `node contract/permissions.ts` when this fails)', async () => {
    expect(await stalePages()).toEqual([]);
  });
  it('every route names an access that exists', () => {
    const known = new Set<string>(['public', 'self', ...actions, ...platformActions]);
    for (const route of allRoutes) expect(known, route.id).toContain(route.access);
  });
  it('whoever is let in by a lower role is let in by every higher one, and nobody comes from outside', () => {
    for (const route of allRoutes) {
      const allowed = roles.map((role) => mayCall(route.access, role));
      expect(
        [...allowed].sort((a, b) => Number(b) - Number(a)),
        route.id,
      ).toEqual(allowed);
      if (actions.some((action) => action === route.access)) {
        expect(mayCall(route.access, 'another tenant'), route.id).toBe(false);
        expect(mayCall(route.access, 'platform administrator'), route.id).toBe(false);
      }
      expect(mayCall(route.access, 'nobody'), route.id).toBe(route.access === 'public');
    }
    expect(callers).toHaveLength(roles.length + 3);
  });
});
