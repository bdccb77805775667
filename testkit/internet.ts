/**
 * A piece of internet on a machine that has none: a network namespace behind a veth pair, with addresses that look
 * public, and others that tenants must never reach (metadata, private ranges). The host routes to all of them, so
 * whatever a guest cannot reach was refused and not merely absent.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Internet = {
  /** Network namespace of everything out there. */
  namespace: string;
  /** The host's own public-looking addresses on its side. */
  host4: string;
  host6: string;
  /** Public addresses that answer. */
  public4: string;
  public6: string;
  /** Addresses that answer the host and must not answer guests. */
  forbidden: string[];
  /** Each service answers `<the address it saw>` on this TCP port (and on 25). */
  port: number;
  /** Tries a TCP connection from inside; true when it opened. */
  reaches(address: string, port: number): Promise<boolean>;
  close(): Promise<void>;
};

const SERVICE = `
const net = require('node:net');
for (const port of process.argv.slice(1).map(Number)) {
  net.createServer((s) => { s.on('error', () => {}); s.end(s.remoteAddress + '\\n'); }).listen(port, '::');
}
process.stdout.write('up\\n');
`;

const CONNECT = `
const [address, port] = process.argv.slice(1);
const s = require('node:net').connect({ host: address, port: Number(port), timeout: 1500 });
s.on('connect', () => process.exit(0)); s.on('error', () => process.exit(1)); s.on('timeout', () => process.exit(1));
`;

/** Needs root; only one at a time may have the metadata address. Every name and address is chosen at random within its range, so that two tests do not meet. */
export async function fakeInternet({ metadata = true } = {}): Promise<Internet> {
  const tag = randomBytes(3).toString('hex');
  const [x = 1, y = 1] = randomBytes(2);
  const namespace = `bthnet-${tag}`;
  const outside = `btn${tag}h`;
  const inside = `btn${tag}n`;
  const public4 = `11.${x}.${y}`;
  const public6 = `2600:${x.toString(16)}:${y.toString(16)}`;
  // The metadata address is one per machine: its route is dropped again with the interface, and taken over from what a
  // run that was killed has left.
  const forbidden4 = [
    ...(metadata ? ['169.254.169.254'] : []),
    `172.31.${x}.7`,
    `192.168.${y}.77`,
    `100.127.${x}.9`,
    `198.19.${x}.3`,
  ];
  const forbidden6 = [`fd99:${tag.slice(0, 4)}::7`];
  const port = 20_000 + ((x * 256 + y) % 20_000);
  const ip = (...args: string[]) => run('ip', args);
  const within = (...args: string[]) => run('ip', ['netns', 'exec', namespace, ...args]);
  let service: ChildProcess | null = null;
  const close = async (): Promise<void> => {
    service?.kill('SIGKILL');
    await ip('link', 'del', outside).catch(() => undefined);
    await ip('netns', 'del', namespace).catch(() => undefined);
  };
  try {
    await ip('netns', 'add', namespace);
    await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', namespace);
    await ip('addr', 'add', `${public4}.1/24`, 'dev', outside);
    await ip('addr', 'add', `${public6}::1/64`, 'dev', outside, 'nodad');
    await ip('link', 'set', outside, 'up');
    await within('ip', 'link', 'set', 'lo', 'up');
    await within('ip', 'link', 'set', inside, 'up');
    await within('ip', 'addr', 'add', `${public4}.44/24`, 'dev', inside);
    await within('ip', 'addr', 'add', `${public6}::44/64`, 'dev', inside, 'nodad');
    for (const address of forbidden4) {
      await within('ip', 'addr', 'add', `${address}/32`, 'dev', inside);
      await ip('route', 'replace', `${address}/32`, 'dev', outside, 'via', `${public4}.44`);
    }
    for (const address of forbidden6) {
      await within('ip', 'addr', 'add', `${address}/128`, 'dev', inside, 'nodad');
      await ip('-6', 'route', 'add', `${address}/128`, 'dev', outside, 'via', `${public6}::44`);
    }
    await within('ip', 'route', 'add', 'default', 'via', `${public4}.1`);
    await within('ip', '-6', 'route', 'add', 'default', 'via', `${public6}::1`);
    const started = spawn(
      'ip',
      ['netns', 'exec', namespace, process.execPath, '-e', SERVICE, String(port), '25', '22'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    service = started;
    await new Promise((resolve, reject) => {
      started.stdout.once('data', resolve);
      started.once('exit', () => reject(new Error('the service ended')));
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    namespace,
    host4: `${public4}.1`,
    host6: `${public6}::1`,
    public4: `${public4}.44`,
    public6: `${public6}::44`,
    forbidden: [...forbidden4, ...forbidden6],
    port,
    reaches: (address, to) =>
      within(process.execPath, '-e', CONNECT, address, String(to)).then(
        () => true,
        () => false,
      ),
    close,
  };
}
