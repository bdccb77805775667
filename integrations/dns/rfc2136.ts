/**
 * Zones of a name server that takes dynamic updates (RFC 2136) signed with TSIG: BIND, Knot, PowerDNS, Windows. Every
 * change is one message with its conditions, so it happens as a whole or not at all, and never to what is not marked.
 * Over TCP only: no answer of somebody else's, none cut short.
 */
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { DNS_TTL_SECONDS, type DnsPlace, type DnsType, markName } from '#domain/dns.ts';
import { BerthError } from '#domain/errors.ts';
import { type DnsAccess, type DnsProvider, DnsProviderError, type DnsSeen } from './interface.ts';
import {
  add,
  drop,
  ifNone,
  ifSet,
  ifUnused,
  type Line,
  queryMessage,
  rcodes,
  read,
  sign,
  type Told,
  type TsigKey,
  tsigErrors,
  updateMessage,
  verify,
} from './message.ts';

export type Rfc2136Access = Extract<DnsAccess, { kind: 'rfc2136' }>;
/** Opens a connection to a name server that may be called. Errors: Error with the reason, for people. */
export type DnsConnect = (host: string, port: number) => Promise<Socket>;

const ANSWER_MS_MAX = 8_000;

export function rfc2136Provider(access: Rfc2136Access, connect: DnsConnect, now: () => number): DnsProvider {
  const key: TsigKey = {
    name: access.keyName.toLowerCase().replace(/\.$/, ''),
    algorithm: access.algorithm,
    secret: Buffer.from(access.secret, 'base64'),
  };

  const ask = async (make: (id: number) => Buffer): Promise<Told> => {
    const id = randomInt(65_536);
    const { message, mac } = sign(make(id), key, now());
    const bytes = await exchange(await open(), message);
    let told: Told | null = null;
    let error = 0;
    try {
      const checked = verify(bytes, key, mac, now());
      error = checked.error;
      if (checked.signed && checked.answer.readUInt16BE(0) === id) told = read(checked.answer);
    } catch (cause) {
      throw new DnsProviderError('away', `${access.host} answers with something that is no DNS.`, { cause });
    }
    if (error === tsigErrors.badKey) throw denied(`${access.host} does not know the key ${access.keyName}.`);
    if (error === tsigErrors.badSignature) throw denied(`The secret of the key ${access.keyName} is not right.`);
    if (error === tsigErrors.badTime) throw denied(`The clocks of ${access.host} and of this machine differ too much.`);
    if (told === null) throw denied(`${access.host} did not sign its answer with the key ${access.keyName}.`);
    return told;
  };

  const open = async (): Promise<Socket> => {
    try {
      return await connect(access.host, access.port);
    } catch (cause) {
      // May not be called: that is no matter of the server's.
      if (cause instanceof BerthError && cause.code === 'invalid_input') throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DnsProviderError('away', `No connection to ${access.host}: ${why}`, { cause });
    }
  };

  const exchange = (socket: Socket, message: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const end = (error: Error | null, bytes?: Buffer): void => {
        clearTimeout(timer);
        socket.destroy();
        if (error === null && bytes !== undefined) resolve(bytes);
        else reject(error);
      };
      const gone = (why: string, cause?: Error) =>
        end(new DnsProviderError('away', `${access.host} ${why}.`, cause === undefined ? {} : { cause }));
      const timer = setTimeout(() => gone('took too long to answer'), ANSWER_MS_MAX);
      let got = Buffer.alloc(0);
      socket.on('data', (part: Buffer) => {
        got = Buffer.concat([got, part]);
        if (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0))
          end(null, got.subarray(2, 2 + got.readUInt16BE(0)));
        else if (got.length > 65_537) gone('answers with something that is no DNS');
      });
      socket.on('error', (cause) => gone('broke the connection', cause));
      socket.on('close', () => gone('closed the connection'));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length, 0);
      socket.write(Buffer.concat([length, message]));
    });

  const denied = (message: string) => new DnsProviderError('denied', message);

  /** What the server said to an update that neither was done nor failed by its conditions. */
  const failure = (zone: string, rcode: number): DnsProviderError => {
    if (rcode === rcodes.refused) return denied(`The key ${access.keyName} may not change the zone ${zone}.`);
    if (rcode === rcodes.notauth || rcode === rcodes.notzone) {
      return new DnsProviderError('zone', `${access.host} does not keep the zone ${zone}.`);
    }
    return new DnsProviderError('refused', `${access.host} refused the change (code ${rcode}).`);
  };

  const update = async (zone: string, conditions: readonly Line[], changes: readonly Line[]): Promise<boolean> => {
    const { rcode } = await ask((id) => updateMessage(id, zone, conditions, changes));
    if (rcode === rcodes.ok) return true;
    if (
      rcode === rcodes.yxdomain ||
      rcode === rcodes.yxrrset ||
      rcode === rcodes.nxrrset ||
      rcode === rcodes.nxdomain
    ) {
      return false;
    }
    throw failure(zone, rcode);
  };

  const query = async (zone: string, name: string, type: DnsType): Promise<string[]> => {
    const told = await ask((id) => queryMessage(id, name, type));
    if (told.rcode === rcodes.refused) throw denied(`The key ${access.keyName} may not ask for ${name}.`);
    if (!told.authoritative) throw new DnsProviderError('zone', `${access.host} does not keep the zone ${zone}.`);
    if (told.rcode !== rcodes.ok && told.rcode !== rcodes.nxdomain) throw failure(zone, told.rcode);
    return told.values(name, type);
  };

  return {
    async inspect(zones) {
      for (const zone of zones) {
        const told = await ask((id) => queryMessage(id, zone, 'SOA'));
        if (!told.authoritative || !told.hasSoa) throw failure(zone, rcodes.notauth);
        // Changes nothing, and is refused when changes would be.
        await update(zone, [], []);
      }
      return { zones: [...zones], warnings: [] };
    },

    async look(place, owner): Promise<DnsSeen> {
      const values = await query(place.zone, place.name, place.type);
      const marks = await query(place.zone, markName(place), 'TXT');
      return { values, mine: marks.length === 1 && marks[0] === owner };
    },

    async put(place, values, owner) {
      const mark = markName(place);
      const adds = values.map((value) => add(place.name, place.type, DNS_TTL_SECONDS, value));
      const isFree =
        place.type === 'CNAME' ? [ifUnused(place.name)] : [ifNone(place.name, place.type), ifNone(place.name, 'CNAME')];
      const isNew = [...isFree, ifNone(mark, 'TXT')];
      if (await update(place.zone, isNew, [add(mark, 'TXT', DNS_TTL_SECONDS, owner), ...adds])) return 'written';
      const isMine = ifSet(mark, 'TXT', [owner]);
      return (await update(place.zone, isMine, [drop(place.name, place.type), ...adds])) ? 'written' : 'taken';
    },

    async remove(place: DnsPlace, owner) {
      const mark = markName(place);
      await update(place.zone, ifSet(mark, 'TXT', [owner]), [drop(place.name, place.type), drop(mark, 'TXT')]);
    },
  };
}
