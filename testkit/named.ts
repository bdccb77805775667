/** A real BIND on loopback, for everything that asks or changes DNS. `berth test` installs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Line, sign, updateMessage } from '#integrations/dns/message.ts';
import { freePort, until } from './ingress.ts';

const NAMED = '/usr/sbin/named';

export type TsigKey = { name: string; secret: string };

/** Zones as text of records below SOA and NS; `@` is the zone. */
export class Named {
  readonly port: number;
  readonly #dir: string;
  #child: ChildProcess | null = null;
  #serial = 1;
  #log = '';

  private constructor(port: number) {
    this.port = port;
    this.#dir = mkdtempSync(join(tmpdir(), 'berth-named-'));
    chmodSync(this.#dir, 0o755);
  }

  /** `keys` may change every zone. */
  static async start(zones: Record<string, readonly string[]>, keys: readonly TsigKey[] = []): Promise<Named> {
    const named = new Named(await freePort());
    for (const [zone, records] of Object.entries(zones)) named.#write(zone, records);
    const keyText = keys.map(({ name, secret }) => `key "${name}" { algorithm hmac-sha256; secret "${secret}"; };`);
    const may = keys.length === 0 ? 'none;' : keys.map(({ name }) => `key "${name}";`).join(' ');
    const zoneText = Object.keys(zones).map(
      (zone) =>
        `zone "${zone}" { type primary; file "${named.#file(zone)}"; allow-update { ${may} }; allow-transfer { none; }; };`,
    );
    writeFileSync(
      join(named.#dir, 'named.conf'),
      [
        `options { directory "${named.#dir}"; pid-file none; listen-on port ${named.port} { 127.0.0.1; };`,
        'listen-on-v6 { none; }; recursion no; allow-query { any; }; dnssec-validation no; notify no; };',
        'controls { };',
        ...keyText,
        ...zoneText,
      ].join('\n'),
    );
    await named.#begin();
    return named;
  }

  get server(): string {
    return `127.0.0.1:${this.port}`;
  }

  #file(zone: string): string {
    return join(this.#dir, `${zone}.zone`);
  }

  #write(zone: string, records: readonly string[]): void {
    const head = `$TTL 1\n@ IN SOA ns.${zone}. hostmaster.${zone}. ${this.#serial++} 60 60 60 1\n@ IN NS ns.${zone}.\nns IN A 127.0.0.1\n`;
    writeFileSync(this.#file(zone), `${head}${records.join('\n')}\n`);
  }

  async #begin(): Promise<void> {
    const args = ['-g', '-c', join(this.#dir, 'named.conf'), '-p', String(this.port), '-n', '1'];
    const child = spawn(NAMED, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#log.length < 1_000_000) this.#log += chunk.toString();
    });
    await until('named answers', async () => {
      if (child.exitCode !== null) throw new Error(`named ended: ${this.#log}`);
      return /running$/m.test(this.#log);
    });
  }

  /** Replaces a zone that nobody changes by update. Resolves when the server answers with the new one. */
  async set(zone: string, records: readonly string[]): Promise<void> {
    this.#write(zone, records);
    const wanted = this.#serial - 1;
    this.#child?.kill('SIGHUP');
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([this.server]);
    await until(`${zone} is loaded: ${this.#log.slice(-2_000)}`, async () =>
      resolver.resolveSoa(zone).then(
        (soa) => soa.serial >= wanted,
        () => false,
      ),
    );
  }

  /** What an administrator of the zone does with `nsupdate`: without conditions. */
  async update(zone: string, key: TsigKey, changes: readonly Line[]): Promise<void> {
    const id = randomInt(65_536);
    const tsig = { name: key.name, algorithm: 'hmac-sha256' as const, secret: Buffer.from(key.secret, 'base64') };
    const { message } = sign(updateMessage(id, zone, [], changes), tsig, Date.now());
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length, 0);
    const rcode = await new Promise<number>((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(Buffer.concat([length, message])));
      socket.once('data', (bytes: Buffer) => {
        resolve(bytes.readUInt8(5) & 15);
        socket.destroy();
      });
      socket.once('error', reject);
    });
    if (rcode !== 0) throw new Error(`named refused the update: ${rcode}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Nobody answers while `work` goes on. */
  async pause<T>(work: () => Promise<T>): Promise<T> {
    const child = this.#child;
    child?.kill('SIGSTOP');
    try {
      return await work();
    } finally {
      child?.kill('SIGCONT');
    }
  }
}
