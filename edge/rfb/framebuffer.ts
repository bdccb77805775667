/** A small RFB client that takes one picture of a screen and leaves: raw pixels, shared, never resizes anything. */
import { connect, type Socket } from 'node:net';
import { ByteQueue } from './byte-queue.ts';
import { clientHandshake, RfbError, type RfbPeer, SHARED } from './handshake.ts';

export const GRAB_TIMEOUT_MS = 8_000;
/** Width times height; 7680 x 4320. */
export const PIXELS_MAX = 33_177_600;
const SOCKET_QUEUE_MAX = 8 * 1024 * 1024;
const NAME_BYTES_MAX = 4096;
const ROUNDS_MAX = 4;
const SKIPPED_TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** `pixels`: 4 bytes each, red, green, blue, unused; rows from the top. */
export type Framebuffer = { width: number; height: number; pixels: Buffer };

/** A connected socket as an RFB peer; bytes wait in the socket when nobody reads. */
export function socketPeer(socket: Socket, queueMax: number = SOCKET_QUEUE_MAX): RfbPeer {
  const queue = new ByteQueue(queueMax, () => socket.resume());
  socket.on('data', (chunk: Buffer) => {
    if (!queue.push(chunk)) socket.pause();
  });
  socket.on('error', (error) => queue.fail(error));
  socket.on('close', () => queue.fail(new RfbError('the screen closed the connection')));
  return { input: queue, send: (bytes) => void socket.write(bytes) };
}

/** A TCP connection, or an error after `timeoutMs`. */
export function dial(address: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true });
    const timer = setTimeout(() => socket.destroy(new RfbError('no connection to the screen in time')), timeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

const pixelFormat = Buffer.from([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]);
const onlyRaw = Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]);

function updateRequest(width: number, height: number): Buffer {
  const message = Buffer.alloc(10);
  message[0] = 3;
  message.writeUInt16BE(width, 6);
  message.writeUInt16BE(height, 8);
  return message;
}

/** Reads one FramebufferUpdate into `frame`, past whatever else the server says; returns how many pixels came. */
async function readUpdate(input: ByteQueue, frame: Framebuffer): Promise<number> {
  for (;;) {
    const kind = (await input.read(1))[0];
    if (kind === 0) break;
    if (kind === 1) {
      const head = await input.read(5);
      await input.read(6 * head.readUInt16BE(3));
    } else if (kind === 3) {
      const length = Math.abs((await input.read(7)).readInt32BE(3));
      if (length > SKIPPED_TEXT_BYTES_MAX) throw new RfbError('the clipboard text is too long');
      await input.read(length);
    } else if (kind !== 2) {
      throw new RfbError(`the screen sent a message of an unknown kind (${kind})`);
    }
  }
  const rectangles = (await input.read(3)).readUInt16BE(1);
  let pixels = 0;
  for (let index = 0; index < rectangles; index++) {
    const head = await input.read(12);
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.readUInt16BE(at)) as [number, number, number, number];
    if (head.readInt32BE(8) !== 0) throw new RfbError('the screen used an encoding that was not asked for');
    if (x + width > frame.width || y + height > frame.height)
      throw new RfbError('the screen sent a rectangle outside itself');
    for (let row = 0; row < height; row++) {
      const line = await input.read(width * 4);
      line.copy(frame.pixels, ((y + row) * frame.width + x) * 4);
    }
    pixels += width * height;
  }
  return pixels;
}

/** One picture of the screen at `address`:`port`. Errors: RfbError, or the socket's. */
export async function grabFramebuffer(address: string, port: number, password: string): Promise<Framebuffer> {
  const socket = await dial(address, port, GRAB_TIMEOUT_MS);
  const timer = setTimeout(() => socket.destroy(new RfbError('the screen took too long')), GRAB_TIMEOUT_MS);
  try {
    const { input, send } = socketPeer(socket);
    await clientHandshake({ input, send }, password);
    send(Buffer.from([SHARED]));
    const init = await input.read(24);
    const width = init.readUInt16BE(0);
    const height = init.readUInt16BE(2);
    const nameLength = init.readUInt32BE(20);
    if (nameLength > NAME_BYTES_MAX) throw new RfbError("the screen's name is too long");
    await input.read(nameLength);
    if (width === 0 || height === 0 || width * height > PIXELS_MAX) {
      throw new RfbError(`a screen of ${width} x ${height} is out of bounds`);
    }
    const frame = { width, height, pixels: Buffer.alloc(width * height * 4) };
    send(pixelFormat);
    send(onlyRaw);
    let pixels = 0;
    for (let round = 0; round < ROUNDS_MAX && pixels < width * height; round++) {
      send(updateRequest(width, height));
      pixels += await readUpdate(input, frame);
    }
    return frame;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
