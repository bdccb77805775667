/**
 * The gateway's own connection to a server. It has no key: edge has the host's agent sign this one login. The server must
 * prove one of the host keys that were read when it was made; anything else ends before a word is said.
 */
import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import type { Entered } from '#contract/ssh-gateway.ts';
import { SSH_GUEST_USER, SSH_KEEPALIVE_SECONDS } from '#domain/ssh.ts';
import { algorithms, hostKeyTypes } from './algorithms.ts';
import { ssh2 } from './ssh2.ts';

const PORT = 22;
const READY_MS_MAX = 15_000;
const KEEPALIVE_MISSED_MAX = 3;
const CONNECT_ATTEMPTS_MAX = 12;
const CONNECT_PAUSE_MS = 300;

export class UpstreamRefused extends Error {
  /** The key that the server came with when it was another one. */
  readonly hostKey: string | null;
  constructor(message: string, hostKey: string | null = null) {
    super(message);
    this.hostKey = hostKey;
  }
}

class LoginAgent extends ssh2.BaseAgent<string> {
  readonly #key: string;
  readonly #sign: (data: Buffer) => Promise<Buffer>;

  constructor(key: string, sign: (data: Buffer) => Promise<Buffer>) {
    super();
    this.#key = key;
    this.#sign = sign;
  }

  override getIdentities(done: (error?: Error | null, keys?: string[]) => void): void {
    done(null, [this.#key]);
  }

  override sign(_key: unknown, data: Buffer, options: unknown, done?: unknown): void {
    const answer = (typeof options === 'function' ? options : done) as (error: Error | null, signed?: Buffer) => void;
    this.#sign(data).then(
      (signed) => answer(null, signed),
      (error: Error) => answer(error),
    );
  }
}

/** `<type> <base64>` of a key in SSH's own encoding. */
function lineOf(blob: Buffer): string {
  const length = blob.length > 4 ? blob.readUInt32BE(0) : 0;
  return `${blob.toString('latin1', 4, 4 + Math.min(length, 64))} ${blob.toString('base64')}`;
}

/** Errors: UpstreamRefused with words for the person. */
export async function connectUpstream(
  entered: Entered,
  sign: (data: Buffer) => Promise<Buffer>,
  port: number = PORT,
): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(entered, sign, port);
    } catch (error) {
      if (!(error instanceof NotListening)) throw error;
      if (attempt >= CONNECT_ATTEMPTS_MAX) throw new UpstreamRefused(error.message);
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
    }
  }
}

/** Its sshd is starting, or reads its configuration anew at this moment. */
class NotListening extends Error {}

function connectOnce(entered: Entered, sign: (data: Buffer) => Promise<Buffer>, port: number): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    let stranger: string | null = null;
    const pinned = new Set(entered.hostKeys);
    const fail = (error: Error & { level?: string; code?: string }): void => {
      client.destroy();
      if (stranger !== null) {
        reject(
          new UpstreamRefused(
            `${entered.instance.name} has other host keys than when it was made. Nothing was sent to it. ` +
              'Somebody who may change it has to accept them in Berth (SSH page of the server).',
            stranger,
          ),
        );
      } else if (error.level === 'client-authentication' || error.level === 'agent') {
        reject(new UpstreamRefused(`${entered.instance.name} does not let Berth's SSH gateway in.`));
      } else if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') {
        reject(new NotListening(`${entered.instance.name} does not answer on its SSH port.`));
      } else {
        reject(new UpstreamRefused(`${entered.instance.name} does not answer on its SSH port.`));
      }
    };
    client.once('error', fail);
    client.once('close', () => fail(new Error('closed')));
    client.once('ready', () => {
      client.removeAllListeners('error').removeAllListeners('close');
      // What breaks later shows as the end of the connection.
      client.on('error', () => {});
      resolve(client);
    });
    client.connect({
      host: entered.address,
      port,
      username: SSH_GUEST_USER,
      agent: new LoginAgent(entered.loginKey, sign),
      authHandler: ['agent'],
      hostVerifier: (key: Buffer) => {
        const line = lineOf(key);
        if (pinned.has(line)) return true;
        stranger = line;
        return false;
      },
      algorithms: { ...algorithms, kex: [...algorithms.kex], serverHostKey: [...hostKeyTypes] } as never,
      readyTimeout: READY_MS_MAX,
      keepaliveInterval: SSH_KEEPALIVE_SECONDS * 1000,
      keepaliveCountMax: KEEPALIVE_MISSED_MAX,
    });
    (client as unknown as { _sock?: Socket })._sock?.setNoDelay(true);
  });
}
