import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roleRank, roles } from './authz.ts';
import {
  EVERYBODY,
  inDomains,
  issuerProblem,
  mappedRoles,
  presets,
  providerKinds,
  redirectUriProblem,
  safeReturnPath,
} from './identity-providers.ts';
import type { OrganizationId } from './ids.ts';

const organizations = ['org_a', 'org_b'] as unknown as OrganizationId[];
const mapping = fc.record({
  value: fc.constantFrom('staff', 'admins', EVERYBODY),
  organization: fc.constantFrom(...organizations),
  role: fc.constantFrom(...roles),
});

describe('I3: roles by groups', () => {
  it('I3: more groups never give less, and nothing is given without a mapping that fits', () => {
    fc.assert(
      fc.property(fc.array(mapping), fc.subarray(['staff', 'admins']), (mappings, groups) => {
        const less = mappedRoles(mappings, groups);
        const more = mappedRoles(mappings, ['staff', 'admins']);
        for (const [organization, role] of less) {
          expect(roleRank(more.get(organization) ?? 'guest')).toBeGreaterThanOrEqual(roleRank(role));
          const fits = mappings.filter(
            (each) => each.organization === organization && (each.value === EVERYBODY || groups.includes(each.value)),
          );
          expect(Math.max(...fits.map((each) => roleRank(each.role)))).toBe(roleRank(role));
        }
      }),
    );
  });

  it('I3: a group that is called like the asterisk is whoever signs in, nothing else is a pattern', () => {
    const [organization] = organizations as [OrganizationId];
    expect(mappedRoles([{ value: 'st*', organization, role: 'owner' }], ['staff']).size).toBe(0);
    expect(mappedRoles([{ value: EVERYBODY, organization, role: 'viewer' }], []).get(organization)).toBe('viewer');
  });
});

describe('I3: addresses', () => {
  it('I3: a domain is the whole part after the last at sign', () => {
    expect(inDomains('a@example.com', ['example.com'])).toBe(true);
    for (const email of [
      'a@sub.example.com',
      'a@evilexample.com',
      'example.com',
      '@example.com',
      'a@example.com@b.c',
    ]) {
      expect(inDomains(email, ['example.com']), email).toBe(false);
    }
  });

  it('I3: no open redirect: what comes back is a path of this origin, whatever it is made of', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `/${text}`),
        ),
        (text) => {
          const path = safeReturnPath(text);
          if (path === null) return;
          const base = 'https://console.example.test';
          expect(new URL(path, base).origin).toBe(base);
        },
      ),
    );
    for (const evil of ['//evil.test', '/\\evil.test', '/\t/evil.test', 'https://evil.test', '', '/a\\b', '/a b']) {
      expect(safeReturnPath(evil), JSON.stringify(evil)).toBeNull();
    }
    expect(safeReturnPath('/p/main/instances?view=deleted#x')).toBe('/p/main/instances?view=deleted#x');
  });

  it('I3: issuers are plain addresses; Microsoft needs a tenant of its own', () => {
    for (const kind of providerKinds) {
      const { issuer } = presets[kind];
      if (issuer !== null) expect(issuerProblem(kind, issuer)).toBeNull();
    }
    for (const issuer of [
      'ftp://id.test',
      'id.test',
      'https://a:b@id.test',
      'https://id.test/?a',
      'https://id.test/#a',
    ]) {
      expect(issuerProblem('oidc', issuer), issuer).not.toBeNull();
    }
    for (const tenant of ['common', 'organizations', 'consumers']) {
      expect(issuerProblem('microsoft', `https://login.microsoftonline.com/${tenant}/v2.0`), tenant).toContain(
        'tenant',
      );
    }
    const own = 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0';
    expect(issuerProblem('microsoft', own)).toBeNull();
  });

  it('A9: apps are answered over TLS, or on loopback', () => {
    for (const good of ['https://app.test/cb', 'http://localhost:8080/cb', 'http://127.0.0.1/cb', 'http://[::1]/cb']) {
      expect(redirectUriProblem(good), good).toBeNull();
    }
    for (const bad of [
      'http://app.test/cb',
      'https://*.app.test',
      'https://app.test/#',
      'javascript:alert(1)',
      'app:/cb',
    ]) {
      expect(redirectUriProblem(bad), bad).not.toBeNull();
    }
  });
});
