/**
 * Both ends of the RFB 3.8 opening: as a client towards the desktop (with its password), as a server towards the
 * browser (security type None: who may look was decided before).
 */
import type { ByteQueue } from './byte-queue.ts';
import { vncResponse } from './vnc-auth.ts';

const VERSION_38 = 'RFB 003.008\n';
const VERSION_37 = 'RFB 003.007\n';
const SECURITY_NONE = 1;
const SECURITY_VNC = 2;
const REASON_BYTES_MAX = 1024;
export const SHARED = 1;

export class RfbError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RfbError';
  }
}

/** Something RFB is spoken over. */
export type RfbPeer = { input: ByteQueue; send(bytes: Buffer): void };

async function reason(input: ByteQueue): Promise<string> {
  const length = (await input.read(4)).readUInt32BE();
  if (length > REASON_BYTES_MAX) return 'a reason too long to read';
  return (await input.read(length)).toString('utf8');
}

/** Opens as a client, up to (not including) ClientInit. Errors: RfbError with what the server said. */
export async function clientHandshake(server: RfbPeer, password: string): Promise<void> {
  const version = (await server.input.read(12)).toString('latin1');
  const match = /^RFB (\d{3})\.(\d{3})\n$/.exec(version);
  if (match === null) throw new RfbError('this is not an RFB server');
  const minor = Number(match[2]);
  if (Number(match[1]) !== 3 || minor < 7) throw new RfbError(`RFB ${version.trim()} is too old`);
  const modern = minor >= 8;
  server.send(Buffer.from(modern ? VERSION_38 : VERSION_37, 'latin1'));
  const count = (await server.input.read(1))[0]!;
  if (count === 0) throw new RfbError(`the screen refused: ${await reason(server.input)}`);
  const offered = await server.input.read(count);
  if (offered.includes(SECURITY_VNC)) {
    server.send(Buffer.from([SECURITY_VNC]));
    server.send(vncResponse(password, await server.input.read(16)));
  } else if (offered.includes(SECURITY_NONE)) {
    server.send(Buffer.from([SECURITY_NONE]));
    if (!modern) return;
  } else {
    throw new RfbError(`the screen offers only security types ${[...offered].join(', ')}`);
  }
  const result = (await server.input.read(4)).readUInt32BE();
  if (result === 0) return;
  throw new RfbError(modern ? `the screen refused: ${await reason(server.input)}` : 'the screen refused the password');
}

/** Opens as a server that asks for nothing, up to and including the client's ClientInit. */
export async function serverHandshake(client: RfbPeer): Promise<void> {
  client.send(Buffer.from(VERSION_38, 'latin1'));
  const version = (await client.input.read(12)).toString('latin1');
  if (version !== VERSION_38) throw new RfbError('the viewer does not speak RFB 3.8');
  client.send(Buffer.from([1, SECURITY_NONE]));
  const chosen = (await client.input.read(1))[0];
  if (chosen !== SECURITY_NONE) throw new RfbError('the viewer chose a security type that was not offered');
  client.send(Buffer.from([0, 0, 0, 0]));
  await client.input.read(1);
}
