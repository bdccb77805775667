/** A real TigerVNC server with a password, on an address of a guest, for tests of screens. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { desEncrypt } from '#edge/rfb/vnc-auth.ts';
import { until } from './ingress.ts';

const run = promisify(execFile);
export const vncPrograms = ['/usr/bin/Xvnc', '/usr/bin/xsetroot', '/usr/bin/xdotool'];
/** Programs that tests of screens need are in TEST_PACKAGES of host/plan.ts. */
export const canRunVnc = vncPrograms.every((path) => existsSync(path));

/** The key every VNC program obfuscates its password file with, bits already reversed. */
const FILE_KEY = Buffer.from('e84ad660c4721ae0', 'hex');

export class VncDesktop {
  readonly address: string;
  readonly port: number;
  readonly password: string;
  readonly #display: string;
  readonly #child: ChildProcess;
  readonly #dir: string;

  private constructor(
    address: string,
    port: number,
    password: string,
    display: string,
    child: ChildProcess,
    dir: string,
  ) {
    this.address = address;
    this.port = port;
    this.password = password;
    this.#display = display;
    this.#child = child;
    this.#dir = dir;
  }

  static async start(address: string, port: number, password: string, geometry = '800x600'): Promise<VncDesktop> {
    const dir = mkdtempSync(join(tmpdir(), 'berth-vnc-'));
    const file = join(dir, 'passwd');
    const plain = Buffer.alloc(8);
    Buffer.from(password).copy(plain);
    writeFileSync(file, desEncrypt(FILE_KEY, plain), { mode: 0o600 });
    let number = 200 + Math.floor(Math.random() * 3000);
    while (existsSync(`/tmp/.X${number}-lock`)) number++;
    const display = `:${number}`;
    const child = spawn(
      '/usr/bin/Xvnc',
      [display, '-rfbport', String(port), '-interface', address, '-SecurityTypes', 'VncAuth', '-rfbauth', file].concat([
        '-geometry',
        geometry,
        '-depth',
        '24',
        '-AlwaysShared',
        '-ac',
        '-nolisten',
        'tcp',
      ]),
      { stdio: 'ignore' },
    );
    const desktop = new VncDesktop(address, port, password, display, child, dir);
    await until('Xvnc listens', () => {
      if (child.exitCode !== null) throw new Error('Xvnc ended at once');
      return new Promise<boolean>((resolve) => {
        const socket = connect(port, address, () => {
          socket.destroy();
          resolve(true);
        });
        socket.on('error', () => resolve(false));
      });
    });
    return desktop;
  }

  /** Fills the background. `color` like '#ff0000'. */
  async paint(color: string): Promise<void> {
    await run('/usr/bin/xsetroot', ['-solid', color], { env: { DISPLAY: this.#display } });
  }

  async pointer(): Promise<{ x: number; y: number }> {
    const { stdout } = await run('/usr/bin/xdotool', ['getmouselocation'], { env: { DISPLAY: this.#display } });
    const match = /x:(\d+) y:(\d+)/.exec(stdout);
    return { x: Number(match?.[1]), y: Number(match?.[2]) };
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
