import { describe, expect, it } from 'vitest';
import { closeBundle } from '#contract/wildcards.ts';
import { EdgeState, emptyTables } from './state.ts';
import { Wildcards } from './wildcards.ts';

/** For cloud.example.org, until October 2126; of a key that is nowhere. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBkDCCATWgAwIBAgIUH2HyGrlVyO+Sl2a6r7+jPUZD1PgwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRY2xvdWQuZXhhbXBsZS5vcmcwIBcNMjYxMTIyMDYxNDEyWhgP
MjEyNjEwMjkwNjE0MTJaMBwxGjAYBgNVBAMMEWNsb3VkLmV4YW1wbGUub3JnMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyJLRWAR6ugJa88wqQnl+pAPJCb+9efRL
1u6MkQQv85CxsDcVWdF8mqwjrhbHm0DTW1/MI+k9sNe1kt1SujEo1aNTMFEwHQYD
VR0OBBYEFIn+lpL7I3Rn3ZKd8gz0eex0XJvUMB8GA1UdIwQYMBaAFIn+lpL7I3Rn
3ZKd8gz0eex0XJvUMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIh
ALTve8Yx23/5g0DkFihIKdPJ6xF67XKE15KyHkWqA9n/AiEA9/1f7FlNPxNf9Ss/
GsyifoMDrOsHGj2RZjXn5a260f0=
-----END CERTIFICATE-----
`;
const ENDS_AT = Date.UTC(2126, 9, 29, 6, 14, 12);
const key = new Uint8Array(32).fill(7);

function edge(now: { at: number }) {
  const state = new EdgeState();
  const close = (name: string) => ({ name, bundle: closeBundle(key, name, CERTIFICATE) });
  state.replace({ ...emptyTables(), wildcards: [close('cloud.example.org'), close('shop.test')] });
  const site = { domain: 'cloud.example.org', consoleOrigin: 'https://cloud.example.org:9443', httpsPort: 443 };
  const wildcards = new Wildcards({ state, lookup: () => null, now: () => now.at }, site, key);
  return (name: string) => wildcards.find(`server_name=${name}`);
}

describe('V5: wildcard certificates at edge', () => {
  it('V5: the platform’s goes to every name directly below it, a tenant’s only to names of routes', async () => {
    const find = edge({ at: ENDS_AT - 1 });
    expect(await find('anything.cloud.example.org')).toBe(CERTIFICATE);
    expect(await find('Anything.Cloud.Example.Org')).toBe(CERTIFICATE);
    for (const name of [
      'a.b.cloud.example.org',
      'cloud.example.org',
      'xcloud.example.org',
      'example.org',
      'a.shop.test',
      '',
    ])
      expect([name, await find(name)]).toEqual([name, null]);
  });

  it('V5: one that has ended is not handed out, so that Caddy gets one for the single name', async () => {
    const now = { at: ENDS_AT - 1 };
    const find = edge(now);
    expect(await find('a.cloud.example.org')).toBe(CERTIFICATE);
    now.at = ENDS_AT;
    expect(await find('a.cloud.example.org')).toBeNull();
  });
});
