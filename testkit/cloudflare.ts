/**
 * A wire fake of the parts of Cloudflare's API (v4) that Berth uses, after its public reference: envelopes, pages, errors
 * and codes as it documents them. The real one cannot be reached from a test. It behaves like the real one where Berth
 * depends on it: comments stay with their records, names filter exactly, an alias stands alone.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type CloudflareRecord = {
  id: string;
  name: string;
  type: string;
  content: string;
  comment: string | null;
  ttl: number;
  proxied: boolean;
};
export type CloudflareToken = {
  status?: 'active' | 'disabled' | 'expired';
  /** Zone name -> permissions there, as the list of zones shows them. */
  zones: Record<string, string[]>;
  /** Names of permission groups, when the token may look at itself. */
  groups?: string[];
};

/** What a token made from the template "Edit zone DNS" shows. */
export const enough = ['#dns_records:edit', '#dns_records:read', '#zone:read'];
const newId = () => randomBytes(16).toString('hex');
const PER_PAGE_DEFAULT = 20;

type Reply = {
  status: number;
  result: unknown;
  errors?: { code: number; message: string }[];
  pages?: [number, number, number];
};
const fault = (status: number, code: number, message: string): Reply => ({
  status,
  result: null,
  errors: [{ code, message }],
});

export class FakeCloudflare {
  readonly zones = new Map<string, { id: string; records: CloudflareRecord[] }>();
  readonly tokens = new Map<string, CloudflareToken & { id: string }>();
  readonly calls: string[] = [];
  /** Answers everything with this status while set. */
  failWith: number | null = null;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get api(): string {
    return `${this.origin}/client/v4`;
  }

  addZone(name: string): void {
    this.zones.set(name, { id: newId(), records: [] });
  }

  addToken(token: CloudflareToken): string {
    const secret = randomBytes(20).toString('hex');
    this.tokens.set(secret, { ...token, id: newId() });
    return secret;
  }

  records(zone: string): CloudflareRecord[] {
    return this.zones.get(zone)?.records ?? [];
  }

  addRecord(
    zone: string,
    record: Pick<CloudflareRecord, 'name' | 'type' | 'content'> & { comment?: string },
  ): CloudflareRecord {
    const made = { id: newId(), ttl: 300, proxied: false, comment: null, ...record };
    this.records(zone).push(made);
    return made;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const url = new URL(request.url ?? '', this.origin);
    this.calls.push(`${request.method} ${url.pathname.replace('/client/v4', '')}`);
    const token = this.tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    const text = Buffer.concat(parts).toString();
    const { status, result, errors, pages } = this.#answer(
      request.method ?? '',
      url,
      token,
      text === '' ? null : JSON.parse(text),
    );
    response.writeHead(status, { 'content-type': 'application/json' });
    const info =
      pages === undefined
        ? {}
        : { result_info: { page: pages[0], per_page: pages[1], count: 0, total_count: 0, total_pages: pages[2] } };
    response.end(
      JSON.stringify({ success: errors === undefined, errors: errors ?? [], messages: [], result, ...info }),
    );
  }

  #answer(
    method: string,
    url: URL,
    token: (CloudflareToken & { id: string }) | undefined,
    body: Partial<CloudflareRecord> | null,
  ): Reply {
    if (this.failWith !== null) return fault(this.failWith, 10_000, 'Please try again later');
    const path = url.pathname.replace('/client/v4', '');
    if (token === undefined)
      return fault(
        path === '/user/tokens/verify' ? 401 : 403,
        path === '/user/tokens/verify' ? 1000 : 9109,
        'Invalid access token',
      );
    if (path === '/user/tokens/verify')
      return { status: 200, result: { id: token.id, status: token.status ?? 'active' } };
    if ((token.status ?? 'active') !== 'active') return fault(403, 9109, 'Invalid access token');
    if (path === `/user/tokens/${token.id}`) {
      if (token.groups === undefined) return fault(403, 9109, 'Unauthorized to access requested resource');
      const permission_groups = token.groups.map((name) => ({ id: newId(), name }));
      return {
        status: 200,
        result: { id: token.id, policies: [{ id: newId(), effect: 'allow', resources: {}, permission_groups }] },
      };
    }
    if (path === '/zones' && method === 'GET') return this.#listZones(url, token);
    const match = /^\/zones\/([0-9a-f]{32})\/dns_records(?:\/([0-9a-f]{32}))?$/.exec(path);
    const [name, zone] = [...this.zones].find(([, each]) => each.id === match?.[1]) ?? [];
    if (match === null || name === undefined || zone === undefined)
      return fault(404, 7003, 'Could not route to the requested object');
    const may = token.zones[name] ?? [];
    if (!may.includes(method === 'GET' ? '#dns_records:read' : '#dns_records:edit'))
      return fault(403, 10_000, 'Authentication error');
    if (method === 'GET')
      return page(
        url,
        zone.records.filter((record) => record.name === (url.searchParams.get('name.exact') ?? record.name)),
      );
    const before = zone.records.find((record) => record.id === match[2]);
    if (match[2] !== undefined && before === undefined) return fault(404, 81_044, 'Record does not exist.');
    if (method === 'DELETE') {
      zone.records.splice(zone.records.indexOf(before as CloudflareRecord), 1);
      return { status: 200, result: { id: match[2] } };
    }
    const next = {
      id: newId(),
      ttl: 1,
      proxied: false,
      comment: null,
      name: '',
      type: '',
      content: '',
      ...before,
      ...body,
    };
    const others = zone.records.filter((record) => record !== before && record.name === next.name);
    const conflict = others.find((record) => {
      if (record.type === next.type && record.content === next.content) return true;
      const alone = ['A', 'AAAA', 'CNAME'];
      return (
        (record.type === 'CNAME' || next.type === 'CNAME') && alone.includes(record.type) && alone.includes(next.type)
      );
    });
    if (conflict !== undefined) {
      return conflict.type === next.type && conflict.content === next.content
        ? fault(400, 81_058, 'An identical record already exists.')
        : fault(400, 81_053, 'An A, AAAA, or CNAME record with that host already exists.');
    }
    if (before === undefined) zone.records.push(next);
    else Object.assign(before, next);
    return { status: 200, result: next };
  }

  #listZones(url: URL, token: CloudflareToken): Reply {
    const wanted = url.searchParams.get('name');
    const seen = [...this.zones].filter(
      ([name]) => token.zones[name] !== undefined && (wanted === null || wanted === name),
    );
    return page(
      url,
      seen.map(([name, { id }]) => ({
        id,
        name,
        status: 'active',
        paused: false,
        type: 'full',
        permissions: token.zones[name],
        name_servers: ['amy.ns.cloudflare.test', 'bob.ns.cloudflare.test'],
      })),
    );
  }
}

function page(url: URL, all: unknown[]): Reply {
  const size = Number(url.searchParams.get('per_page') ?? PER_PAGE_DEFAULT);
  const number = Number(url.searchParams.get('page') ?? 1);
  return {
    status: 200,
    result: all.slice((number - 1) * size, number * size),
    pages: [number, size, Math.max(1, Math.ceil(all.length / size))],
  };
}
