/** From raw pixels to a small PNG: box filter, then the smallest of four row filters and deflate. */
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import type { Framebuffer } from './framebuffer.ts';

const compress = promisify(deflate) as (data: Buffer, options: { level: number }) => Promise<Buffer>;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const BYTES = 3;

/** `pixels`: 3 bytes each, red, green, blue. */
export type Picture = { width: number; height: number; pixels: Buffer };

/** Scales down to at most `widthMax` (never up): every target pixel is the mean of the pixels it covers. */
export function shrink(frame: Framebuffer, widthMax: number): Picture {
  const width = Math.min(frame.width, widthMax);
  const height = Math.max(1, Math.round((frame.height * width) / frame.width));
  const pixels = Buffer.alloc(width * height * BYTES);
  const source = frame.pixels;
  const edges = Array.from({ length: width + 1 }, (_, x) => Math.floor((x * frame.width) / width));
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * frame.height) / height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * frame.height) / height));
    for (let x = 0; x < width; x++) {
      const left = edges[x]!;
      const right = Math.max(left + 1, edges[x + 1]!);
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let row = top; row < bottom; row++) {
        const end = (row * frame.width + right) * 4;
        for (let at = (row * frame.width + left) * 4; at < end; at += 4) {
          red += source[at]!;
          green += source[at + 1]!;
          blue += source[at + 2]!;
        }
      }
      const count = (bottom - top) * (right - left);
      const target = (y * width + x) * BYTES;
      pixels[target] = red / count;
      pixels[target + 1] = green / count;
      pixels[target + 2] = blue / count;
    }
  }
  return { width, height, pixels };
}

function chunk(type: string, data: Buffer): Buffer {
  const result = Buffer.alloc(12 + data.length);
  result.writeUInt32BE(data.length, 0);
  result.write(type, 4, 'latin1');
  data.copy(result, 8);
  result.writeUInt32BE(crc32(result.subarray(4, 8 + data.length)), 8 + data.length);
  return result;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const toLeft = Math.abs(estimate - left);
  const toUp = Math.abs(estimate - up);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

const filters: ((value: number, left: number, up: number, corner: number) => number)[] = [
  (value) => value,
  (value, left) => value - left,
  (value, _left, up) => value - up,
  (value, left, up, corner) => value - paeth(left, up, corner),
];
/** Filter numbers of the PNG specification, in the order above. */
const filterTypes = [0, 1, 2, 4];

/** A PNG (8 bits, RGB). */
export async function encodePng(picture: Picture): Promise<Buffer> {
  const { width, height, pixels } = picture;
  const stride = width * BYTES;
  const raw = Buffer.alloc((stride + 1) * height);
  const tries = filters.map(() => Buffer.alloc(stride));
  for (let y = 0; y < height; y++) {
    let best = 0;
    let bestSum = Number.POSITIVE_INFINITY;
    filters.forEach((filter, index) => {
      const line = tries[index]!;
      let sum = 0;
      for (let x = 0; x < stride; x++) {
        const at = y * stride + x;
        const left = x >= BYTES ? pixels[at - BYTES]! : 0;
        const up = y > 0 ? pixels[at - stride]! : 0;
        const corner = x >= BYTES && y > 0 ? pixels[at - stride - BYTES]! : 0;
        const value = filter(pixels[at]!, left, up, corner) & 255;
        line[x] = value;
        sum += value < 128 ? value : 256 - value;
      }
      if (sum < bestSum) {
        bestSum = sum;
        best = index;
      }
    });
    raw[y * (stride + 1)] = filterTypes[best]!;
    tries[best]!.copy(raw, y * (stride + 1) + 1);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', await compress(raw, { level: 6 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
