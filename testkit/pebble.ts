/** A real ACME authority on loopback: Let's Encrypt's own small one for tests. `berth test` installs it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from './ingress.ts';

const PEBBLE = '/usr/bin/pebble';

export class Pebble {
  readonly directory: string;
  /** What its own HTTPS is checked with. */
  readonly caFile: string;
  readonly #dir: string;
  readonly #managementPort: number;
  #child: ChildProcess | null = null;
  log = '';

  private constructor(dir: string, port: number, managementPort: number) {
    this.#dir = dir;
    this.#managementPort = managementPort;
    this.directory = `https://127.0.0.1:${port}/dir`;
    this.caFile = join(dir, 'ca.pem');
  }

  /** Names below `blocked` are refused. It validates names by connecting to `tlsPort` at the addresses that `resolver` ('address:port') gives. */
  static async start(resolver: string, tlsPort: number, blocked: readonly string[] = []): Promise<Pebble> {
    const dir = mkdtempSync(join(tmpdir(), 'berth-acme-'));
    const [port, managementPort] = [await freePort(), await freePort()];
    const pebble = new Pebble(dir, port, managementPort);
    const key = join(dir, 'key.pem');
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-subj', '/CN=pebble', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', pebble.caFile],
      ],
      { stdio: 'ignore' },
    );
    const config = join(dir, 'pebble.json');
    writeFileSync(
      config,
      JSON.stringify({
        pebble: {
          listenAddress: `127.0.0.1:${port}`,
          managementListenAddress: `127.0.0.1:${managementPort}`,
          certificate: pebble.caFile,
          privateKey: key,
          httpPort: 1,
          tlsPort,
          ocspResponderURL: '',
          domainBlocklist: blocked,
        },
      }),
    );
    const child = spawn(PEBBLE, ['-config', config, '-dnsserver', resolver], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' },
    });
    pebble.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        if (pebble.log.length < 2_000_000) pebble.log += chunk.toString();
      });
    }
    await until('the ACME authority answers', async () => {
      if (child.exitCode !== null) throw new Error(`pebble ended: ${pebble.log}`);
      return (await pebble.#get(pebble.directory).catch(() => '')).includes('newOrder');
    });
    return pebble;
  }

  /** Root of the certificates it signs, as PEM. It makes a new one at every start. */
  root(): Promise<string> {
    return this.#get(`https://127.0.0.1:${this.#managementPort}/roots/0`);
  }

  #get(url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = request(url, { ca: readFileSync(this.caFile), agent: false, timeout: 2_000 }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve(text));
      });
      call.on('timeout', () => call.destroy(new Error('no answer')));
      call.on('error', reject);
      call.end();
    });
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
}
