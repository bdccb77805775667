/**
 * Follows the messages a viewer sends, to let a view-only viewer look and nothing else: keys, pointer, clipboard,
 * resizing and power messages are dropped, and the encodings by which a server would enable longer forms of them are
 * never asked for. A message of an unknown kind has an unknown length: it ends the connection.
 */
import { RfbError } from './handshake.ts';

const SET_PIXEL_FORMAT = 0;
const SET_ENCODINGS = 2;
const UPDATE_REQUEST = 3;
const KEY = 4;
const POINTER = 5;
const CUT_TEXT = 6;
const CONTINUOUS_UPDATES = 150;
const FENCE = 248;
const XVP = 250;
const SET_DESKTOP_SIZE = 251;
const QEMU = 255;

/** Pseudo-encodings that let a viewer do more than look, or that make messages longer than this file knows. */
export const encodingsHidden: readonly number[] = [
  -258, // QEMU extended key events
  -259, // QEMU audio
  -305, // general input interface
  -308, // extended desktop size: resizing by the viewer
  -309, // xvp: power
  -316, // extended mouse buttons
  -1063131698, // extended clipboard (0xc0a1e5ce)
];
/** Without extended desktop size a viewer still has to learn of resizes. */
const DESKTOP_SIZE = -223;
export const CUT_TEXT_BYTES_MAX = 1024 * 1024;
const ENCODINGS_MAX = 256;

/** Length of the message that starts at the front of `bytes`; null when more bytes are needed to tell. */
function messageLength(bytes: Buffer): number | null {
  const need = (count: number) => bytes.length >= count;
  switch (bytes[0]) {
    case SET_PIXEL_FORMAT:
      return 20;
    case SET_ENCODINGS: {
      if (!need(4)) return null;
      const count = bytes.readUInt16BE(2);
      if (count > ENCODINGS_MAX) throw new RfbError('the viewer names too many encodings');
      return 4 + 4 * count;
    }
    case UPDATE_REQUEST:
      return 10;
    case KEY:
      return 8;
    case POINTER:
      return 6;
    case CUT_TEXT: {
      if (!need(8)) return null;
      const length = Math.abs(bytes.readInt32BE(4));
      if (length > CUT_TEXT_BYTES_MAX) throw new RfbError('the clipboard text is too long');
      return 8 + length;
    }
    case CONTINUOUS_UPDATES:
      return 10;
    case FENCE:
      return need(9) ? 9 + bytes[8]! : null;
    case XVP:
      return 4;
    case SET_DESKTOP_SIZE:
      return need(8) ? 8 + 16 * bytes[6]! : null;
    case QEMU: {
      if (!need(2)) return null;
      if (bytes[1] === 0) return 12;
      throw new RfbError('the viewer sent a message of an unknown kind');
    }
    default:
      throw new RfbError(`the viewer sent a message of an unknown kind (${bytes[0]})`);
  }
}

/** Messages a view-only viewer may send. */
const harmless = new Set([SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST, CONTINUOUS_UPDATES, FENCE]);

function visibleEncodings(message: Buffer): Buffer {
  const all: number[] = [];
  for (let at = 4; at < message.length; at += 4) all.push(message.readInt32BE(at));
  const kept = all.filter((encoding) => !encodingsHidden.includes(encoding));
  if (all.includes(-308) && !kept.includes(DESKTOP_SIZE)) kept.push(DESKTOP_SIZE);
  const result = Buffer.alloc(4 + 4 * kept.length);
  result[0] = SET_ENCODINGS;
  result.writeUInt16BE(kept.length, 2);
  kept.forEach((encoding, index) => {
    result.writeInt32BE(encoding, 4 + 4 * index);
  });
  return result;
}

/** What a view-only viewer's bytes (after ClientInit) become; feed it pieces of any size. */
export class ViewOnlyFilter {
  #rest: Buffer = Buffer.alloc(0);

  /** The bytes to pass on. Errors: RfbError when the viewer sends what cannot be followed. */
  feed(chunk: Buffer): Buffer {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    while (bytes.length > 0) {
      const length = messageLength(bytes);
      if (length === null || bytes.length < length) break;
      const message = bytes.subarray(0, length);
      const kind = message[0]!;
      if (kind === SET_ENCODINGS) out.push(visibleEncodings(message));
      else if (harmless.has(kind)) out.push(message);
      bytes = bytes.subarray(length);
    }
    // A copy, so that a small rest does not keep a large frame alive.
    this.#rest = bytes.length === 0 ? Buffer.alloc(0) : Buffer.from(bytes);
    return out.length === 1 ? out[0]! : Buffer.concat(out);
  }
}
