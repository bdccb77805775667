/** V5: dynamic updates with TSIG against a real BIND. */
import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DnsPlace, ownerMark, type TsigAlgorithm } from '#domain/dns.ts';
import { freePort } from '#testkit/ingress.ts';
import { Named } from '#testkit/named.ts';
import { rfc2136Provider } from './rfc2136.ts';

const ZONE = 'dyn.test';
const OWNER = ownerMark('abc123');
const key = { name: 'berth-key', secret: randomBytes(32).toString('base64') };
let named: Named;

beforeAll(async () => {
  named = await Named.start({ [ZONE]: ['mail IN A 192.0.2.1', 'alias IN CNAME mail'] }, [key]);
});
afterAll(() => named?.stop());

const provider = (
  more: { secret?: string; keyName?: string; port?: number; now?: number; algorithm?: TsigAlgorithm } = {},
) =>
  rfc2136Provider(
    {
      kind: 'rfc2136',
      host: '127.0.0.1',
      port: more.port ?? named.port,
      keyName: more.keyName ?? key.name,
      algorithm: more.algorithm ?? 'hmac-sha256',
      secret: more.secret ?? key.secret,
    },
    (host, port) =>
      new Promise((resolve, reject) => {
        const socket = connect(port, host, () => resolve(socket));
        socket.once('error', reject);
      }),
    () => more.now ?? Date.now(),
  );
const place = (name: string, type: DnsPlace['type']): DnsPlace => ({ zone: ZONE, name: `${name}.${ZONE}`, type });
const resolver = () => {
  const made = new Resolver({ timeout: 1_000, tries: 2 });
  made.setServers([named.server]);
  return made;
};

describe('V5: RFC 2136', () => {
  it('V5: a key that may change the zone is accepted; the wrong one, the wrong zone and nobody there are told apart', async () => {
    expect(await provider().inspect([ZONE])).toEqual({ zones: [ZONE], warnings: [] });
    const cases: [Parameters<typeof provider>[0], string[], string][] = [
      [{ secret: randomBytes(32).toString('base64') }, [ZONE], 'denied'],
      [{ keyName: 'another-key' }, [ZONE], 'denied'],
      [{ now: Date.now() - 3_600_000 }, [ZONE], 'denied'],
      [{}, ['elsewhere.test'], 'zone'],
      [{ port: await freePort() }, [ZONE], 'away'],
    ];
    for (const [options, zones, failure] of cases) {
      await expect(provider(options).inspect(zones), JSON.stringify(options)).rejects.toMatchObject({ failure });
    }
    await named.pause(() => expect(provider().inspect([ZONE])).rejects.toMatchObject({ failure: 'away' }));
  });

  it('V5: records of every type are written with their mark, changed, and removed with it', async () => {
    const dns = provider();
    const cases: [DnsPlace, string[], string[], () => Promise<unknown>, unknown][] = [
      [
        place('web', 'A'),
        ['192.0.2.7'],
        ['192.0.2.8', '192.0.2.9'],
        () => resolver().resolve4(`web.${ZONE}`),
        ['192.0.2.8', '192.0.2.9'],
      ],
      [
        place('web', 'AAAA'),
        ['2001:db8::7'],
        ['2001:db8::8'],
        () => resolver().resolve6(`web.${ZONE}`),
        ['2001:db8::8'],
      ],
      [
        place('www', 'CNAME'),
        ['a.example'],
        ['b.example'],
        () => resolver().resolveCname(`www.${ZONE}`),
        ['b.example'],
      ],
      [
        place('_t.web', 'TXT'),
        ['one "two" \\ three'],
        ['x', 'y'],
        async () => (await resolver().resolveTxt(`_t.web.${ZONE}`)).flat().sort(),
        ['x', 'y'],
      ],
    ];
    for (const [at, first, then, ask, seen] of cases) {
      expect(await dns.put(at, first, OWNER)).toBe('written');
      expect(await dns.look(at, OWNER)).toEqual({ values: first, mine: true });
      // The same again, and at once from two sides.
      expect(await Promise.all([dns.put(at, then, OWNER), dns.put(at, then, OWNER)])).toEqual(['written', 'written']);
      const found = await ask();
      expect(Array.isArray(found) ? found.sort() : found).toEqual(seen);
      await dns.remove(at, OWNER);
      await dns.remove(at, OWNER);
      expect(await dns.look(at, OWNER)).toEqual({ values: [], mine: false });
      expect(
        await resolver()
          .resolveTxt(`_berth-${at.type.toLowerCase()}.${at.name}`)
          .catch((error) => error.code),
      ).toMatch(/ENOTFOUND|ENODATA/);
    }
  });

  it('V5: what somebody else made is neither changed nor removed, nor what another Berth made', async () => {
    const dns = provider();
    for (const at of [place('mail', 'A'), place('mail', 'CNAME'), place('alias', 'CNAME'), place('alias', 'A')]) {
      expect(await dns.put(at, at.type === 'A' ? ['192.0.2.66'] : ['evil.example'], OWNER)).toBe('taken');
      await dns.remove(at, OWNER);
    }
    expect(await resolver().resolve4(`mail.${ZONE}`)).toEqual(['192.0.2.1']);
    expect(await resolver().resolveCname(`alias.${ZONE}`)).toEqual([`mail.${ZONE}`]);
    const shared = place('shared', 'A');
    await dns.put(shared, ['192.0.2.20'], ownerMark('other1'));
    expect(await dns.put(shared, ['192.0.2.21'], OWNER)).toBe('taken');
    await dns.remove(shared, OWNER);
    expect(await dns.look(shared, OWNER)).toEqual({ values: ['192.0.2.20'], mine: false });
  });

  it('V5: an answer that the key did not sign is not believed', async () => {
    const { createServer } = await import('node:net');
    const forger = createServer((socket) =>
      socket.on('data', (data) => {
        // "All went well", unsigned.
        const answer = Buffer.from(data.subarray(2, 14));
        answer.writeUInt16BE(0xa800, 2);
        answer.fill(0, 4);
        socket.write(Buffer.concat([Buffer.from([0, 12]), answer]));
      }),
    );
    await new Promise<void>((resolve) => forger.listen(0, '127.0.0.1', resolve));
    const { port } = forger.address() as { port: number };
    await expect(provider({ port }).put(place('x', 'A'), ['192.0.2.1'], OWNER)).rejects.toMatchObject({
      failure: 'denied',
    });
    forger.close();
  });
});
