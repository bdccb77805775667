/**
 * Zones at Cloudflare, by an API token of its user. The mark of what is Berth's lies in each record's comment, so a
 * record and its mark come and go together. The token should hold no more than "Zone DNS Edit" on the zones it is for:
 * what it can do beyond is told, and a token that could make other tokens is refused.
 */
import { z } from 'zod';
import { DNS_TTL_SECONDS, type DnsPlace, sameValues } from '#domain/dns.ts';
import { type DnsProvider, DnsProviderError } from './interface.ts';

export const CLOUDFLARE_API = 'https://api.cloudflare.com/client/v4';
const PAGES_MAX = 10;
const ZONES_PER_PAGE = 50;
const RECORDS_PER_PAGE = 100;
/** Zones that are named in a warning. */
const NAMED_MAX = 5;

/** What is enough; everything else in a zone's list of permissions is more than needed. */
const NEEDED = '#dns_records:edit';
const ENOUGH = new Set([NEEDED, '#dns_records:read', '#zone:read']);
/** Codes of 400 that say that another record is in the way. */
const IN_THE_WAY = new Set([81053, 81054, 81057, 81058]);

export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string },
) => Promise<Response>;

const envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).nullish(),
  result: z.unknown(),
  result_info: z.object({ page: z.number(), total_pages: z.number().optional() }).nullish(),
});
const zoneSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  permissions: z.array(z.string()).nullish(),
});
const recordSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  comment: z.string().nullish(),
});
type CloudflareRecord = z.output<typeof recordSchema>;
const verifySchema = z.object({ id: z.string().regex(/^[0-9a-f]{32}$/), status: z.string() });
const tokenSchema = z.object({
  policies: z.array(z.object({ permission_groups: z.array(z.object({ name: z.string().nullish() })) })),
});

class Refused extends Error {
  readonly status: number;
  readonly codes: readonly number[];
  constructor(status: number, codes: readonly number[], message: string) {
    super(message);
    this.status = status;
    this.codes = codes;
  }
}

export function cloudflareProvider(token: string, fetch: Fetch, api: string = CLOUDFLARE_API): DnsProvider {
  const ids = new Map<string, string>();

  const call = async <T>(schema: z.ZodType<T>, method: string, path: string, body?: object) => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    let status = 0;
    let said: z.output<typeof envelope>;
    try {
      const answer = await fetch(`${api}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      status = answer.status;
      said = envelope.parse(await answer.json());
    } catch (cause) {
      throw new DnsProviderError('away', 'Cloudflare does not answer as it should.', { cause });
    }
    if (!said.success || status >= 400) {
      const errors = said.errors ?? [];
      const message = errors.map((error) => error.message.replace(/[\p{C}\s]+/gu, ' ').slice(0, 200)).join('; ');
      throw new Refused(
        status,
        errors.map((error) => error.code),
        message,
      );
    }
    const result = schema.safeParse(said.result);
    if (!result.success)
      throw new DnsProviderError('away', 'Cloudflare does not answer as it should.', { cause: result.error });
    return { result: result.data, pages: said.result_info?.total_pages ?? 1 };
  };

  const fail = (error: unknown, zone = ''): never => {
    if (!(error instanceof Refused)) throw error;
    const told = error.message === '' ? '' : ` It says: ${error.message}`;
    if (error.status === 401 || error.status === 403) {
      const where = zone === '' ? '' : ` for ${zone}`;
      throw new DnsProviderError('denied', `Cloudflare does not accept the token${where}.${told}`);
    }
    if (error.status === 429 || error.status >= 500) {
      throw new DnsProviderError('away', `Cloudflare cannot do it now (${error.status}).${told}`);
    }
    if (error.status === 404) throw new DnsProviderError('zone', `Cloudflare does not keep ${zone}.${told}`);
    throw new DnsProviderError('refused', `Cloudflare refused the change.${told}`);
  };

  const all = async <T>(schema: z.ZodType<T>, path: string, perPage: number): Promise<T[]> => {
    const found: T[] = [];
    for (let page = 1; page <= PAGES_MAX; page++) {
      const part = await call(z.array(schema), 'GET', `${path}&page=${page}&per_page=${perPage}`);
      found.push(...part.result);
      if (page >= part.pages) break;
    }
    return found;
  };

  const idOf = async (zone: string): Promise<string> => {
    const known = ids.get(zone);
    if (known !== undefined) return known;
    const zones = await all(zoneSchema, `/zones?name=${encodeURIComponent(zone)}`, ZONES_PER_PAGE).catch((error) =>
      fail(error, zone),
    );
    const found = zones.find((each) => each.name === zone);
    if (found === undefined)
      throw new DnsProviderError('zone', `The token does not reach the zone ${zone}, or Cloudflare does not keep it.`);
    ids.set(zone, found.id);
    return found.id;
  };

  /** Everything at a name. The filter is asked for and not relied on. */
  const at = async (place: DnsPlace): Promise<{ id: string; records: CloudflareRecord[] }> => {
    const id = await idOf(place.zone);
    const path = `/zones/${id}/dns_records?name.exact=${encodeURIComponent(place.name)}&match=all`;
    const records = await all(recordSchema, path, RECORDS_PER_PAGE).catch((error) => fail(error, place.zone));
    return { id, records: records.filter((record) => record.name.toLowerCase() === place.name) };
  };

  const change = async (place: DnsPlace, method: string, path: string, body?: object): Promise<void> => {
    await call(z.unknown(), method, path, body).catch((error: unknown) => {
      // Gone already is as good.
      if (method === 'DELETE' && error instanceof Refused && error.status === 404) return;
      fail(error, place.zone);
    });
  };

  /** What the token may do beyond what it needs. Errors: DnsProviderError when that is too much. */
  const beyond = async (): Promise<string[]> => {
    const verified = await call(verifySchema, 'GET', '/user/tokens/verify').catch(() => null);
    // Tokens of an account are not known there; the list of zones says whether they work.
    if (verified === null) return [];
    if (verified.result.status !== 'active') {
      throw new DnsProviderError('denied', `Cloudflare says that the token is ${verified.result.status}.`);
    }
    const own = await call(tokenSchema, 'GET', `/user/tokens/${verified.result.id}`).catch(() => null);
    if (own === null) return [];
    const groups = own.result.policies.flatMap((policy) => policy.permission_groups.map((group) => group.name ?? ''));
    if (groups.some((group) => /^API Tokens (?:Write|Edit)$/i.test(group))) {
      throw new DnsProviderError(
        'denied',
        'The token could make other tokens. Give one that may edit DNS of the zones and nothing else.',
      );
    }
    const more = [...new Set(groups)].filter((group) => !/^(?:DNS (?:Read|Write|Edit)|Zone Read)$/i.test(group)).sort();
    return more.length === 0 ? [] : [`The token may do more than needed: ${more.join(', ')}.`];
  };

  return {
    async inspect(zones) {
      const found = await all(zoneSchema, '/zones?order=name', ZONES_PER_PAGE).catch((error) => fail(error));
      const warnings = await beyond();
      const usable = found.filter((zone) => zone.permissions?.includes(NEEDED) ?? true);
      for (const zone of zones) {
        if (usable.some((each) => each.name === zone)) continue;
        const isRead = found.some((each) => each.name === zone);
        throw new DnsProviderError(
          isRead ? 'denied' : 'zone',
          isRead ? `The token may read ${zone} and not change its DNS.` : `The token does not reach the zone ${zone}.`,
        );
      }
      const more = new Set(found.flatMap((zone) => zone.permissions ?? []).filter((each) => !ENOUGH.has(each)));
      if (more.size > 0) {
        warnings.push(
          `The token may do more in its zones than needed: ${[...more]
            .sort()
            .map((each) => each.slice(1))
            .join(', ')}.`,
        );
      }
      const others = found
        .map((zone) => zone.name)
        .filter((name) => !zones.includes(name))
        .sort();
      if (zones.length > 0 && others.length > 0) {
        const rest = others.length > NAMED_MAX ? ` and ${others.length - NAMED_MAX} more` : '';
        warnings.push(
          `The token reaches zones that are not used here: ${others.slice(0, NAMED_MAX).join(', ')}${rest}.`,
        );
      }
      return { zones: usable.map((zone) => zone.name).sort(), warnings };
    },

    async look(place, owner) {
      const { records } = await at(place);
      const here = records.filter((record) => record.type === place.type);
      return { values: here.map(contentOf), mine: here.length > 0 && here.every((record) => record.comment === owner) };
    },

    async put(place, values, owner) {
      const { id, records } = await at(place);
      const mine = records.filter((record) => record.comment === owner && record.type === place.type);
      const inTheWay = records.some(
        (record) =>
          !mine.includes(record) && (record.type === place.type || record.type === 'CNAME' || place.type === 'CNAME'),
      );
      if (inTheWay) return 'taken';
      const kept = mine.filter((record) =>
        values.some((value) => sameValues(place.type, [contentOf(record)], [value])),
      );
      const surplus = mine.filter((record) => !kept.includes(record));
      const missing = values.filter(
        (value) => !kept.some((record) => sameValues(place.type, [contentOf(record)], [value])),
      );
      try {
        for (const value of missing) {
          const record = surplus.shift();
          const body = {
            type: place.type,
            name: place.name,
            content: place.type === 'TXT' ? JSON.stringify(value) : value,
            ttl: DNS_TTL_SECONDS,
            proxied: false,
            comment: owner,
          };
          const path = `/zones/${id}/dns_records`;
          await (record === undefined
            ? call(z.unknown(), 'POST', path, body)
            : call(z.unknown(), 'PATCH', `${path}/${record.id}`, body));
        }
      } catch (error) {
        if (error instanceof Refused && error.codes.some((code) => IN_THE_WAY.has(code))) return 'taken';
        fail(error, place.zone);
      }
      for (const record of surplus) await change(place, 'DELETE', `/zones/${id}/dns_records/${record.id}`);
      return 'written';
    },

    async remove(place, owner) {
      const { id, records } = await at(place);
      for (const record of records) {
        if (record.type !== place.type || record.comment !== owner) continue;
        await change(place, 'DELETE', `/zones/${id}/dns_records/${record.id}`);
      }
    },
  };
}

/** Texts come with or without their quotes. */
function contentOf(record: CloudflareRecord): string {
  if (record.type !== 'TXT') return record.content;
  const parts = record.content.match(/"(?:[^"\\]|\\.)*"/g);
  return parts === null ? record.content : parts.map((part) => part.slice(1, -1).replace(/\\(.)/g, '$1')).join('');
}
