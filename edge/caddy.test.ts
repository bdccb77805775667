import { describe, expect, it } from 'vitest';
import { caddyConfig } from './caddy.ts';
import { type CaddyJson, httpsOrigin, isLocalName, parseCaddyVersion } from './caddy-parts.ts';

const input = {
  version: '2.11.2',
  domain: 'berth.localhost',
  controlPort: 9443,
  httpsPort: 443,
  httpPort: 80,
  sockets: {
    server: '/run/b/server.sock',
    edge: '/run/b/edge.sock',
    bridge: '/run/b/bridge.sock',
    admin: '/run/b/admin.sock',
  },
  storageDirectory: '/var/lib/b/caddy',
};

function all(value: CaddyJson, key: string): CaddyJson[] {
  if (Array.isArray(value)) return value.flatMap((entry) => all(entry, key));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, entry]) => [...(name === key ? [entry] : []), ...all(entry, key)]);
}

describe('caddyConfig', () => {
  it.each(['2.11.2', '2.6.2'])('D2: is exactly the checked-in configuration for Caddy %s', async (version) => {
    await expect(`${JSON.stringify(caddyConfig({ ...input, version }), null, 2)}\n`).toMatchFileSnapshot(
      `golden/caddy-${version}.golden`,
    );
  });

  it('D2: on-demand certificates always ask first', () => {
    for (const version of ['2.6.2', '2.7.6', '2.8.0', '2.11.2', '3.0.0']) {
      const config = caddyConfig({ ...input, version });
      const onDemand = all(config, 'on_demand').find((value) => typeof value === 'object');
      const modern = version !== '2.6.2' && version !== '2.7.6';
      expect(onDemand).toEqual(
        modern
          ? { permission: { module: 'http', endpoint: 'http://127.0.0.1:80/.berth/ask' } }
          : { ask: 'http://127.0.0.1:80/.berth/ask' },
      );
    }
  });

  it('A5: the admin API is a socket, never a port', () => {
    expect(caddyConfig(input)['admin']).toMatchObject({ listen: 'unix//run/b/admin.sock|0600' });
    expect(caddyConfig({ ...input, version: '2.6.2' })['admin']).toMatchObject({ listen: 'unix//run/b/admin.sock' });
  });

  it('I6: nothing is dialled but the own sockets and what edge named', () => {
    expect([...new Set(all(caddyConfig(input), 'dial'))].sort()).toEqual([
      'unix//run/b/bridge.sock',
      'unix//run/b/edge.sock',
      'unix//run/b/server.sock',
      '{http.vars.berth_upstream}',
    ]);
  });

  it('sends Strict-Transport-Security only for names beyond this machine', () => {
    const has = (domain: string) =>
      JSON.stringify(caddyConfig({ ...input, domain })).includes('Strict-Transport-Security');
    expect([has('berth.localhost'), has('localhost'), has('cloud.example.com')]).toEqual([false, false, true]);
    expect(isLocalName('notlocalhost')).toBe(false);
  });

  it('reads version lines and refuses what is none', () => {
    expect(parseCaddyVersion('v2.6.2 h1:wKoFIxpmOJLGl3QXoo6PNbYvGW4xLEgo32GPBEjWL8o=')).toEqual([2, 6, 2]);
    expect(() => parseCaddyVersion('(devel)')).toThrow(RangeError);
  });

  it('leaves port 443 out of origins', () => {
    expect([httpsOrigin('a.b', 443), httpsOrigin('a.b', 8443)]).toEqual(['https://a.b', 'https://a.b:8443']);
  });
});
