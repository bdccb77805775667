/**
 * The way out to upstream: the address an administrator typed, and where it sends on to (token servers, storage). What
 * upstream sends on to may not be inside unless upstream itself is: a registry on the internet cannot make this host
 * fetch from its own network.
 */
import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { deniedRanges4, deniedRanges6 } from '#domain/addresses.ts';
import { BerthError } from '#domain/errors.ts';

const CONNECT_MS = 5_000;
const HEADERS_MS = 20_000;
/** Between two pieces of a body. */
const BODY_MS = 60_000;
const REDIRECTS_MAX = 5;
const HEADER_BYTES_MAX = 16 * 1024;

const inside = new BlockList();
for (const range of deniedRanges4) inside.addSubnet(...subnet(range), 'ipv4');
// The range of IPv4 written as IPv6 would match every IPv4 address here; those are judged as what they are.
for (const range of deniedRanges6) if (range !== '::ffff:0:0/96') inside.addSubnet(...subnet(range), 'ipv6');

function subnet(range: string): [string, number] {
  const [base = '', prefix] = range.split('/');
  return [base, Number(prefix)];
}

export function isInside(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return inside.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

export type Answer = { status: number; headers: Record<string, string>; body: Dispatcher.ResponseData['body'] };
export type Call = { method: 'GET' | 'HEAD'; headers: Record<string, string>; signal: AbortSignal };

export class WayOut {
  readonly #home: URL;
  readonly #agent: Agent;

  constructor(upstream: string, caCertificate: string | null) {
    this.#home = new URL(upstream);
    const guarded: LookupFunction = (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, '');
        const allowed = this.#mayBeInside(hostname) ? addresses : addresses.filter((each) => !isInside(each.address));
        const first = allowed[0];
        if (first === undefined) return callback(new Error('this address is inside'), '');
        if (options.all === true) callback(null, allowed);
        else callback(null, first.address, first.family);
      });
    };
    this.#agent = new Agent({
      connect: { lookup: guarded, timeout: CONNECT_MS, ...(caCertificate === null ? {} : { ca: caCertificate }) },
      headersTimeout: HEADERS_MS,
      bodyTimeout: BODY_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    });
  }

  get home(): URL {
    return this.#home;
  }

  /**
   * Calls and follows redirects; what proves who we are goes to the first host only. Errors: upstream_failed.
   */
  async call(first: URL, init: Call): Promise<Answer> {
    let url = first;
    let headers = init.headers;
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      this.#check(url);
      const answer = await request(url, { ...init, headers, dispatcher: this.#agent });
      const location = one(answer.headers['location']);
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === undefined) {
        return { status: answer.statusCode, headers: single(answer.headers), body: answer.body };
      }
      await answer.body.dump();
      const next = URL.parse(location, url);
      if (next === null) break;
      if (next.origin !== url.origin) headers = withoutAuthorization(headers);
      url = next;
    }
    throw new BerthError('upstream_failed', 'Upstream sends on and on.');
  }

  /** True for the host that was typed in and, when that one is inside, for everything. */
  #mayBeInside(hostname: string): boolean {
    return hostname === this.#home.hostname.replace(/^\[|\]$/g, '') || this.#homeIsInside();
  }

  #homeIsInside(): boolean {
    const host = this.#home.hostname.replace(/^\[|\]$/g, '');
    return isIP(host) !== 0 && isInside(host);
  }

  #check(url: URL): void {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const plain = url.protocol === 'http:' && this.#home.protocol === 'http:';
    if (url.protocol !== 'https:' && !plain)
      throw new BerthError('upstream_failed', 'Upstream sends on to an open address.');
    if (isIP(host) !== 0 && isInside(host) && !this.#mayBeInside(host))
      throw new BerthError('upstream_failed', 'Upstream sends on to an address inside.');
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function withoutAuthorization(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function single(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, one(value) ?? '']])),
  );
}
