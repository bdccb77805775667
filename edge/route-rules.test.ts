import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inNetworks, networkProblem, parseNetwork } from '#domain/networks.ts';
import {
  comparablePath,
  headerValueProblem,
  pathCovers,
  redirectProblem,
  requestHeaderProblem,
  responseHeaderProblem,
  routePathProblem,
} from '#domain/route-rules.ts';
import { mayComeFrom, routeFor } from './route-rules.ts';
import type { EdgeRoute } from './state.ts';

const route = (path: string, changes: Partial<EdgeRoute> = {}): EdgeRoute => ({
  id: `rte_${path}`,
  hostname: 'a.b',
  path,
  target: 'port',
  port: 80,
  redirect: null,
  rules: null,
  visibility: 'public',
  organizationId: 'org_1',
  instanceId: 'ins_1',
  enabled: true,
  ...changes,
});
const routes = ['/admin/deep', '/admin', '/'].map((path) => route(path));
const found = (uri: string, among = routes) => {
  const hit = routeFor(among, uri);
  return typeof hit === 'object' ? hit.path : hit;
};

/** Spellings with which somebody would walk around a rule for /admin. */
const traversal = [
  '/x/../admin',
  '/./admin',
  '//admin',
  '/x//admin',
  '/%2e%2e/admin',
  '/x/%2e%2e/admin',
  '/x/.%2e/admin',
  '/..%2fadmin',
  '/x%2f..%2fadmin',
  '/%2fadmin',
  '/x%5c..%5cadmin',
  '/x\\..\\admin',
  '/\\admin',
  '/admin%00',
  '/x%00/../admin',
  '/%252e%252e/admin',
  '/%2561dmin',
  '/x;/../admin',
  '/;x=y/admin',
  '/admin;x=y',
  '/admin%3bx',
  '/%0aadmin',
  '/%0d%0aadmin',
  '/a%7f',
  '/%zz',
  '/%',
  '/%c0%af',
  '/%c0%ae%c0%ae/admin',
  '/%e0%80%af',
  'admin',
  '*',
  '',
];

describe('V5: path rules', () => {
  it('V5: the longest prefix that covers whole segments counts', () => {
    expect(found('/')).toBe('/');
    expect(found('/admin')).toBe('/admin');
    expect(found('/admin?x=/../')).toBe('/admin');
    expect(found('/admin/')).toBe('/admin');
    expect(found('/admin/deep/er?x')).toBe('/admin/deep');
    expect(found('/administrator')).toBe('/');
    expect(found('/Admin')).toBe('/');
    expect(found('/x', [route('/admin')])).toBeUndefined();
    // Plain characters that somebody encoded are what they are.
    expect(found('/%61dmin')).toBe('/admin');
    expect(found('/%61%64min/deep')).toBe('/admin/deep');
    expect(found('/caf%C3%A9')).toBe('/');
  });

  it('V5: a path that programs read differently goes nowhere when rules decide by path', () => {
    for (const uri of traversal) expect(found(uri), uri).toBe('unclear');
  });

  it('V5: without path rules every path is the program’s own matter', () => {
    for (const uri of traversal) expect(found(uri, [route('/')]), uri).toBe('/');
  });

  it('V5: whatever is clear stays the same when it is read once more as a URL', () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const clear = comparablePath(path === '' ? '/' : path);
        if (clear === null) return;
        expect(decodeURIComponent(new URL(path === '' ? '/' : path, 'https://a.b').pathname)).toBe(clear);
        expect(pathCovers('/', clear)).toBe(true);
      }),
    );
  });

  it('V5: paths of routes', () => {
    for (const good of ['/', '/a', '/a/b-c', '/.well-known/x', '/v1.2/~me']) expect(routePathProblem(good)).toBeNull();
    for (const bad of [
      '',
      'a',
      '/a/',
      '//',
      '/a//b',
      '/..',
      '/a/../b',
      '/a b',
      '/%61',
      '/ü',
      '/.berth',
      '/.berth/x',
      '/*',
    ])
      expect(routePathProblem(bad), bad).not.toBeNull();
  });
});

describe('V5: allow-lists', () => {
  const only = route('/', { rules: { allow: ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'] } });
  it('V5: lets in who is inside, in every spelling of the address, and nobody else', () => {
    for (const good of [
      '192.0.2.1',
      '192.0.2.255',
      '::ffff:192.0.2.9',
      '2001:db8:0:0::1',
      '2001:DB8::',
      '198.51.100.7',
    ])
      expect(mayComeFrom(only, good), good).toBe(true);
    for (const bad of [
      '192.0.3.1',
      '198.51.100.8',
      '2001:db9::1',
      '',
      'localhost',
      '192.0.2',
      '192.0.2.01',
      '::1',
      '192.0.2.1, 1.2.3.4',
    ])
      expect(mayComeFrom(only, bad), bad).toBe(false);
    expect(mayComeFrom(route('/'), 'anything')).toBe(true);
  });

  it('V5: networks people type', () => {
    for (const bad of [
      '',
      'x',
      '1.2.3.4/33',
      '1.2.3.4/24',
      '01.2.3.4',
      '::/129',
      '1.2.3/8',
      '1.2.3.4/',
      '1.2.3.4/8/8',
      '::ffff:1.2.3.4',
    ])
      expect(networkProblem(bad), bad).not.toBeNull();
    for (const good of ['0.0.0.0/0', '::/0', '10.0.0.0/8', 'fd00::/8', '::1', '1.2.3.4'])
      expect(networkProblem(good), good).toBeNull();
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), (four, six) => {
        const self = [four, six].map((text) => parseNetwork(text)).filter((network) => network !== null);
        expect(inNetworks(four, self)).toBe(true);
        if (self.length === 2) expect(inNetworks(six, self)).toBe(true);
      }),
    );
  });
});

describe('V5: header rules and redirects', () => {
  it('V5: nothing that says who somebody is, frames a message or belongs to the proxy', () => {
    for (const bad of [
      'X-Berth-User',
      'x-berth',
      'X-Forwarded-For',
      'X-Real-IP',
      'Host',
      'Cookie',
      'Authorization',
      'X_Y',
      'X-',
      'X-A B',
      'X-A\r\nB',
      'Content-Length',
      '{http.x}',
      'X-*',
      'X-HTTP-Method-Override',
      'X-Original-URL',
    ])
      expect(requestHeaderProblem(bad), bad).not.toBeNull();
    for (const bad of [
      'Set-Cookie',
      'Content-Length',
      'Transfer-Encoding',
      'Location',
      'Connection',
      'X-Berth-User',
      '*',
      '',
      'X-Frame-Options\r\n',
    ])
      expect(responseHeaderProblem(bad), bad).not.toBeNull();
    expect([requestHeaderProblem('X-Env'), responseHeaderProblem('x-frame-options')]).toEqual([null, null]);
  });

  it('V5: no value ends a line or names a variable of the proxy', () => {
    for (const bad of [
      'a\r\nSet-Cookie: x=y',
      'a\nb',
      'a\0',
      '{env.HOME}',
      '{http.vars.berth_user}',
      'ü',
      ' a',
      'x'.repeat(1001),
    ])
      expect(headerValueProblem(bad), bad).not.toBeNull();
    expect(headerValueProblem("default-src 'self'; img-src *")).toBeNull();
  });

  it('V5: a redirect leads to a web address and nowhere else', () => {
    for (const bad of [
      '',
      '/x',
      '//evil.example',
      'javascript:alert(1)',
      'https://',
      'https:///x',
      'https:x',
      'ftp://a.b',
      'https://u:p@a.b',
      'https://a.b\\@c.d',
      'https://a.b/ x',
      'https://a.b/\r\nX: y',
      'data:text/html,x',
    ])
      expect(redirectProblem(bad), bad).not.toBeNull();
    for (const good of ['https://example.com', 'http://example.com:8080/a?b=c#d'])
      expect(redirectProblem(good)).toBeNull();
  });
});
