/**
 * The beginning of the RFB protocol, just enough to know that a screen answers and takes the password it should.
 * Authenticating (and not only connecting) matters: TigerVNC counts every connection that ends without it as an attack
 * and soon refuses the address, which would lock the edge out too.
 */
import { createCipheriv } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export type RfbResult = { version: string; securityTypes: number[]; authenticated: boolean };

const SECURITY_NONE = 1;
const SECURITY_VNC = 2;

/** Connects, agrees on 3.8, authenticates and leaves. Errors: an Error in plain words. */
export async function rfbHandshake(
  address: string,
  port: number,
  password: string | null,
  timeoutMs: number,
): Promise<RfbResult> {
  const socket = connect({ host: address, port });
  const reader = new Reader(socket, timeoutMs);
  try {
    const version = (await reader.take(12)).toString('latin1').trim();
    if (!/^RFB \d{3}\.\d{3}$/.test(version)) throw new Error('what answers is not a screen');
    socket.write('RFB 003.008\n');
    const count = (await reader.take(1))[0] ?? 0;
    if (count === 0) throw new Error('the screen refused the connection');
    const securityTypes = [...(await reader.take(count))];
    if (securityTypes.includes(SECURITY_VNC) && password !== null) {
      socket.write(Buffer.from([SECURITY_VNC]));
      socket.write(vncResponse(await reader.take(16), password));
    } else if (securityTypes.includes(SECURITY_NONE)) {
      socket.write(Buffer.from([SECURITY_NONE]));
    } else {
      return { version, securityTypes, authenticated: false };
    }
    const authenticated = (await reader.take(4)).readUInt32BE() === 0;
    return { version, securityTypes, authenticated };
  } finally {
    socket.destroy();
  }
}

/** Answer to a VNC challenge: DES with the password's bytes mirrored (the protocol's own oddity). */
export function vncResponse(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key, 0, 0, 8);
  for (let index = 0; index < 8; index++) key[index] = mirror(key[index] ?? 0);
  // Single DES is gone from OpenSSL 3; triple DES with one key three times is the same function.
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

function mirror(byte: number): number {
  let out = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) out |= 0x80 >> bit;
  return out;
}

/**
 * True when something accepts connections there. Meant for guests that are booting: a packet that a network which is
 * just coming up has swallowed is sent again by the kernel after a second, asking anew is faster.
 */
export async function listens(address: string, port: number, timeoutMs: number): Promise<boolean> {
  const socket = connect({ host: address, port });
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** First line a service says (an SSH banner). Errors: an Error in plain words. */
export async function readBanner(address: string, port: number, timeoutMs: number): Promise<string> {
  const socket = connect({ host: address, port });
  const reader = new Reader(socket, timeoutMs);
  try {
    return await reader.line(255);
  } finally {
    socket.destroy();
  }
}

/** Takes exact amounts from a socket, within one time limit for all. */
class Reader {
  #buffer = Buffer.alloc(0);
  #failure: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, timeoutMs: number) {
    const fail = (words: string): void => {
      this.#failure ??= new Error(words);
      this.#wake();
    };
    const timer = setTimeout(() => {
      fail('no answer in time');
      socket.destroy();
    }, timeoutMs);
    socket.on('data', (bytes: Buffer) => {
      if (this.#buffer.length > BUFFER_BYTES_MAX) return socket.destroy();
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      this.#wake();
      return undefined;
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ECONNREFUSED' ? 'nothing listens there' : `connection failed (${error.code})`),
    );
    socket.on('close', () => {
      clearTimeout(timer);
      fail('the connection was closed');
    });
  }

  async take(bytes: number): Promise<Buffer> {
    await this.#until(() => this.#buffer.length >= bytes);
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  async line(max: number): Promise<string> {
    await this.#until(() => this.#buffer.includes(10) || this.#buffer.length >= max);
    const end = this.#buffer.indexOf(10);
    return this.#buffer
      .subarray(0, end < 0 ? max : end)
      .toString('latin1')
      .trim();
  }

  async #until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const BUFFER_BYTES_MAX = 64 * 1024;
