import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GROUPS_MAX } from '#domain/identity-providers.ts';
import { claimAt, emailClaim, groupsClaim, textClaim } from './claims.ts';

describe('I3: what a provider says is never trusted to have the right type', () => {
  it('I3: any JSON at all is read without an error, and groups are texts, not too many', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('groups', 'a.b', '__proto__.x', 'constructor'), (value, path) => {
        const claims = { groups: value, a: { b: value } } as Record<string, unknown>;
        const groups = groupsClaim(path, [claims]);
        expect(groups === null || groups.every((group) => typeof group === 'string')).toBe(true);
        textClaim(value);
        emailClaim(value);
      }),
    );
    expect(groupsClaim('groups', [{ groups: Array.from({ length: 2000 }, String) }])).toHaveLength(GROUPS_MAX);
  });

  it('I3: a path with dots leads into objects; a name with dots wins; nothing is inherited', () => {
    expect(claimAt({ realm_access: { roles: ['a'] } }, 'realm_access.roles')).toEqual(['a']);
    expect(claimAt({ 'https://x.test/groups': ['a'] }, 'https://x.test/groups')).toEqual(['a']);
    expect(claimAt({}, 'constructor.name')).toBeUndefined();
  });

  it('I3: left out for being too many is not the same as none', () => {
    expect(groupsClaim('groups', [{ _claim_names: { groups: 'src1' } }])).toBeNull();
    expect(groupsClaim('groups', [{}])).toEqual([]);
    expect(groupsClaim(null, [{ groups: ['a'] }])).toEqual([]);
    expect(groupsClaim('groups', [{}, { groups: 'one' }])).toEqual(['one']);
  });

  it('I3: addresses are compared in lower case; what is none is none', () => {
    expect(emailClaim('Ada@Example.TEST')).toBe('ada@example.test');
    for (const bad of [null, 7, '', 'ada', 'a@b@c', 'a b@c.d', '@c.d', `${'a'.repeat(300)}@b.c`]) {
      expect(emailClaim(bad), String(bad)).toBeNull();
    }
  });
});
