/**
 * The agent's side of the resolver: leads every question of a guest to it, whomever the guest asked, and hears what it
 * answered. The resolver is a process of its own (resolver.lua), which goes on without the agent.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import { canonicalIp6 } from '#contract/agent.ts';
import type { AgentConfig } from '#contract/config.ts';
import { BerthError } from '#domain/errors.ts';
import { DNS_QUESTIONS_PER_SECOND_MAX } from '#domain/resolver.ts';
import type { Answer } from './answers.ts';
import type { HostGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';

const run = promisify(execFile);
const LINE_BYTES_MAX = 4_096;
const CALLERS_MAX = 4;
const SECONDS_MAX = 10;
/** DNS over TLS: names asked that way would be known to nobody here. */
const DOT_PORT = 853;

type ResolverConfig = NonNullable<AgentConfig['resolver']>;

export class Resolver implements HostGuard {
  readonly #config: ResolverConfig;
  readonly #bridges: () => readonly string[];
  readonly #onAnswer: (answer: Answer) => Promise<void>;
  readonly #table: OwnTable;
  readonly #log: Pick<Logger, 'warn'>;
  #server: Server | null = null;
  readonly #callers = new Set<Socket>();

  constructor(parts: {
    config: ResolverConfig;
    bridges: () => readonly string[];
    onAnswer: (answer: Answer) => Promise<void>;
    table: string;
    log: Pick<Logger, 'warn'>;
  }) {
    this.#config = parts.config;
    this.#bridges = parts.bridges;
    this.#onAnswer = parts.onAnswer;
    this.#table = new OwnTable(parts.table);
    this.#log = parts.log;
  }

  /** Listens for what the resolver tells. */
  start(): void {
    const { feed } = this.#config;
    if (existsSync(feed)) unlinkSync(feed);
    const server = createServer((socket) => this.#hear(socket));
    server.on('error', (error) => this.#log.warn({ err: error }, 'the resolver cannot be heard'));
    server.maxConnections = CALLERS_MAX;
    server.listen(feed);
    this.#server = server;
  }

  stop(): void {
    this.#server?.close();
    for (const socket of this.#callers) socket.destroy();
  }

  /** Addresses and rules as they must be; returns what was put right. Errors: unavailable. */
  async check(): Promise<string[]> {
    const found: string[] = [];
    const present = new Set((networkInterfaces()['lo'] ?? []).map((entry) => entry.address));
    for (const [family, address] of [
      ['-4', `${this.#config.address4}/32`],
      ['-6', `${this.#config.address6}/128`],
    ] as const) {
      const bare = address.split('/')[0] ?? '';
      if (present.has(family === '-6' ? (canonicalIp6(bare) ?? bare) : bare)) continue;
      found.push('an address of the resolver was missing');
      await run('ip', [family, 'address', 'replace', address, 'dev', 'lo'], { timeout: SECONDS_MAX * 1000 }).catch(
        (error: unknown) => {
          throw new BerthError('unavailable', 'The resolver has no address.', { detail: String(error).slice(0, 500) });
        },
      );
    }
    if (await this.#table.keep(resolverTable(this.#config, this.#bridges()))) {
      found.push('the way to the resolver was not as wanted');
    }
    return found;
  }

  /** Tells the resolver for which names an answer has to wait until the firewall knows it. */
  name(lines: readonly string[]): void {
    const text = `${lines.join('\n')}\n`;
    const { names } = this.#config;
    if (existsSync(names) && readFileSync(names, 'utf8') === text) return;
    writeFileSync(`${names}.tmp`, text, { mode: 0o640 });
    renameSync(`${names}.tmp`, names);
  }

  #hear(socket: Socket): void {
    this.#callers.add(socket);
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      rest += chunk;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_BYTES_MAX) socket.destroy();
      for (const line of lines) {
        const heard = readLine(line);
        if (heard === null) continue;
        void this.#onAnswer(heard.answer)
          .catch((error: unknown) => this.#log.warn({ err: error }, 'an answer of the resolver could not be used'))
          .then(() => {
            if (heard.waits && socket.writable) socket.write(`${heard.number}\n`);
          });
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#callers.delete(socket));
  }
}

/** `<number> <waits> <client> <name> <ttl> <address>,...` with addresses in hexadecimal; null: not understood. */
export function readLine(line: string): { number: number; waits: boolean; answer: Answer } | null {
  const [, number = '', waits, from = '', name = '', ttl = '', list = ''] =
    /^(\d{1,15}) ([01]) ([0-9a-f]+) ([a-z0-9_.-]{1,253}) (\d{1,9}) ([0-9a-f,]+)$/.exec(line) ?? [];
  const client = addressOf(from);
  if (client === null) return null;
  const addresses = list.split(',').flatMap((hex) => addressOf(hex) ?? []);
  return { number: Number(number), waits: waits === '1', answer: { client, name, addresses, ttlSeconds: Number(ttl) } };
}

function addressOf(hex: string): string | null {
  if (hex.length === 8) return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  return hex.length === 32 ? canonicalIp6((hex.match(/.{4}/g) ?? []).join(':')) : null;
}

/** The table's content; null when there are no bridges. */
export function resolverTable(
  { address4, address6 }: Pick<ResolverConfig, 'address4' | 'address6'>,
  bridges: readonly string[],
): string | null {
  if (bridges.length === 0) return null;
  const most = `limit rate over ${DNS_QUESTIONS_PER_SECOND_MAX}/second burst ${2 * DNS_QUESTIONS_PER_SECOND_MAX} packets`;
  return `
  set bridges { type ifname; elements = { ${bridges.map((name) => `"${name}"`).join(', ')} }; }
  set dyn_asking4 { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }
  set dyn_asking6 { type ipv6_addr; size 65535; flags dynamic,timeout; timeout 1m; }
  chain asked {
    type filter hook prerouting priority -107; policy accept;
    iifname != @bridges accept
    meta l4proto != { tcp, udp } accept
    th dport != 53 accept
    fib saddr . iif oif missing drop
    update @dyn_asking4 { ip saddr ${most} } drop
    update @dyn_asking6 { ip6 saddr ${most} } drop
  }
  chain led {
    type nat hook prerouting priority -106; policy accept;
    iifname != @bridges accept
    meta l4proto { tcp, udp } th dport 53 dnat ip to ${address4}
    meta l4proto { tcp, udp } th dport 53 dnat ip6 to ${address6}
  }
  chain strangers {
    type filter hook input priority -11; policy accept;
    ip daddr ${address4} iifname != @bridges iifname != "lo" drop
    ip6 daddr ${address6} iifname != @bridges iifname != "lo" drop
  }
  chain around {
    type filter hook forward priority -11; policy accept;
    iifname @bridges meta l4proto { tcp, udp } th dport ${DOT_PORT} reject with icmpx type admin-prohibited
  }`;
}
