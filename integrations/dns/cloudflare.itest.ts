/** V5: Cloudflare's API as it is documented, spoken to a wire fake of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DnsPlace, ownerMark } from '#domain/dns.ts';
import { enough, FakeCloudflare } from '#testkit/cloudflare.ts';
import { cloudflareProvider } from './cloudflare.ts';

const ZONE = 'example.com';
const OWNER = ownerMark('abc123');
let fake: FakeCloudflare;

beforeAll(async () => {
  fake = await FakeCloudflare.start();
  for (const zone of [ZONE, 'other.example']) fake.addZone(zone);
});
afterAll(() => fake?.stop());

const provider = (token: string) => cloudflareProvider(token, (url, init) => fetch(url, init), fake.api);
const narrow = () => fake.addToken({ zones: { [ZONE]: enough } });
const place = (name: string, type: DnsPlace['type']): DnsPlace => ({ zone: ZONE, name: `${name}.${ZONE}`, type });

describe('V5: Cloudflare', () => {
  it('V5: a token that may edit DNS of the zone and nothing else is accepted without a word', async () => {
    expect(await provider(narrow()).inspect([ZONE])).toEqual({ zones: [ZONE], warnings: [] });
    expect(
      await provider(fake.addToken({ zones: { [ZONE]: enough }, groups: ['DNS Write', 'Zone Read'] })).inspect([ZONE]),
    ).toEqual({
      zones: [ZONE],
      warnings: [],
    });
  });

  it('V5: what a token may do beyond is told: other zones, other permissions, other groups', async () => {
    const wide = fake.addToken({
      zones: { [ZONE]: [...enough, '#zone_settings:edit', '#ssl:edit'], 'other.example': enough },
      groups: ['DNS Write', 'Workers Scripts Write'],
    });
    const { zones, warnings } = await provider(wide).inspect([ZONE]);
    expect(zones).toEqual([ZONE, 'other.example']);
    expect(warnings).toEqual([
      expect.stringContaining('Workers Scripts Write'),
      expect.stringContaining('ssl:edit, zone_settings:edit'),
      expect.stringContaining('other.example'),
    ]);
  });

  it('V5: a token that is unknown, off, too weak for the zone or able to make tokens is refused, with the reason', async () => {
    const cases: [string, string[], string][] = [
      ['no-such-token', [ZONE], 'denied'],
      [fake.addToken({ status: 'disabled', zones: { [ZONE]: enough } }), [ZONE], 'denied'],
      [fake.addToken({ zones: { [ZONE]: ['#dns_records:read', '#zone:read'] } }), [ZONE], 'denied'],
      [narrow(), ['other.example'], 'zone'],
      [fake.addToken({ zones: { [ZONE]: enough }, groups: ['DNS Write', 'API Tokens Write'] }), [ZONE], 'denied'],
    ];
    for (const [token, zones, failure] of cases) {
      await expect(provider(token).inspect(zones)).rejects.toMatchObject({ failure });
    }
    const weak = fake.addToken({ zones: { [ZONE]: ['#dns_records:read', '#zone:read'] } });
    await expect(provider(weak).put(place('x', 'A'), ['192.0.2.1'], OWNER)).rejects.toMatchObject({
      failure: 'denied',
    });
    for (const status of [429, 500, 503]) {
      fake.failWith = status;
      await expect(provider(narrow()).inspect([ZONE])).rejects.toMatchObject({ failure: 'away' });
    }
    fake.failWith = null;
    const nobody = cloudflareProvider(narrow(), () => Promise.reject(new Error('no connection')), fake.api);
    await expect(nobody.inspect([ZONE])).rejects.toMatchObject({ failure: 'away' });
    const page = cloudflareProvider(narrow(), async () => new Response('<html>Just a moment...</html>'), fake.api);
    await expect(page.inspect([ZONE])).rejects.toMatchObject({ failure: 'away' });
  });

  it('V5: records are written with their mark, changed in place, and removed; the same call twice changes nothing', async () => {
    const dns = provider(narrow());
    const cases: [DnsPlace, string[], string[]][] = [
      [place('web', 'A'), ['192.0.2.7'], ['192.0.2.8', '192.0.2.9']],
      [place('www', 'CNAME'), ['a.example'], ['b.example']],
      [place('_t.web', 'TXT'), ['one "two" \\ three'], ['x', 'y']],
    ];
    for (const [at, first, then] of cases) {
      expect(await dns.put(at, first, OWNER)).toBe('written');
      expect(await dns.look(at, OWNER)).toEqual({ values: first, mine: true });
      expect(await dns.put(at, then, OWNER)).toBe('written');
      expect(await dns.put(at, then, OWNER)).toBe('written');
      expect((await dns.look(at, OWNER)).values.sort()).toEqual(then);
      for (const record of fake.records(ZONE)) expect(record).toMatchObject({ comment: OWNER, proxied: false });
      await dns.put(at, first, OWNER);
      await dns.remove(at, OWNER);
      await dns.remove(at, OWNER);
      expect(fake.records(ZONE)).toEqual([]);
    }
  });

  it('V5: what carries no mark of ours is neither changed nor removed', async () => {
    const dns = provider(narrow());
    fake.addRecord(ZONE, { name: `mail.${ZONE}`, type: 'A', content: '192.0.2.1' });
    fake.addRecord(ZONE, { name: `theirs.${ZONE}`, type: 'CNAME', content: 'x.example', comment: ownerMark('other1') });
    const before = JSON.stringify(fake.records(ZONE));
    for (const at of [place('mail', 'A'), place('mail', 'CNAME'), place('theirs', 'CNAME'), place('theirs', 'A')]) {
      expect(await dns.put(at, at.type === 'A' ? ['192.0.2.66'] : ['evil.example'], OWNER)).toBe('taken');
      await dns.remove(at, OWNER);
    }
    expect(JSON.stringify(fake.records(ZONE))).toBe(before);
  });
});
