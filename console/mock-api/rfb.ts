/** A very small RFB 3.8 server (security None, raw rectangles): a drawn desktop that follows pointer and keys. */
import type { WebSocket } from 'ws';

const BLOCK = 8;

export function serveRfb(ws: WebSocket, name: string): void {
  let width = 1024;
  const height = 640;
  let phase: 'version' | 'security' | 'init' | 'normal' = 'version';
  let pending = Buffer.alloc(0);
  let pointer = { x: 0, y: 0 };
  let keys = 0;
  let shift = { red: 16, green: 8, blue: 0 };

  ws.send(Buffer.from('RFB 003.008\n'));

  function pixel(x: number, y: number): [number, number, number] {
    const inWindow = x > width * 0.12 && x < width * 0.6 && y > height * 0.12 && y < height * 0.62;
    if (Math.abs(x - pointer.x) < 8 && Math.abs(y - pointer.y) < 8) return [79, 195, 214];
    if (y > height - 36) return [13, 20, 26];
    if (inWindow) {
      if (y < height * 0.12 + 28) return [214, 224, 229];
      const row = Math.floor((y - height * 0.12 - 44) / 20);
      const textEnd = width * (0.2 + ((row * 37) % 30) / 100);
      if (row >= 0 && row < 6 + (keys % 8) && y % 20 < 8 && x > width * 0.14 && x < textEnd) return [120, 140, 150];
      return [248, 250, 251];
    }
    const wave = Math.sin(x / 160) * 24 + height * 0.72;
    if (y > wave) return [18, 58, 68];
    return [
      22 + Math.round((y / height) * 10),
      86 - Math.round((y / height) * 30),
      104 - Math.round((y / height) * 20),
    ];
  }

  function frame(): void {
    const header = Buffer.alloc(16);
    header.writeUInt16BE(1, 2);
    header.writeUInt16BE(width, 8);
    header.writeUInt16BE(height, 10);
    const pixels = Buffer.alloc(width * height * 4);
    for (let y = 0; y < height; y += 4) {
      for (let x = 0; x < width; x += BLOCK) {
        const [red, green, blue] = pixel(x, y);
        const value = ((red << shift.red) | (green << shift.green) | (blue << shift.blue)) >>> 0;
        for (let dy = 0; dy < 4 && y + dy < height; dy++)
          for (let dx = 0; dx < BLOCK && x + dx < width; dx++)
            pixels.writeUInt32LE(value, ((y + dy) * width + x + dx) * 4);
      }
    }
    ws.send(Buffer.concat([header, pixels]));
  }

  function take(): boolean {
    if (phase === 'version' && pending.length >= 12) {
      pending = pending.subarray(12);
      ws.send(Buffer.from([1, 1]));
      phase = 'security';
      return true;
    }
    if (phase === 'security' && pending.length >= 1) {
      pending = pending.subarray(1);
      ws.send(Buffer.from([0, 0, 0, 0]));
      phase = 'init';
      return true;
    }
    if (phase === 'init' && pending.length >= 1) {
      pending = pending.subarray(1);
      const title = Buffer.from(name);
      const init = Buffer.alloc(24);
      init.writeUInt16BE(width, 0);
      init.writeUInt16BE(height, 2);
      init.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
      init.writeUInt32BE(title.length, 20);
      ws.send(Buffer.concat([init, title]));
      phase = 'normal';
      return true;
    }
    if (phase !== 'normal' || pending.length === 0) return false;
    const type = pending[0];
    const size =
      type === 0
        ? 20
        : type === 2
          ? pending.length < 4
            ? Number.POSITIVE_INFINITY
            : 4 + 4 * pending.readUInt16BE(2)
          : type === 3
            ? 10
            : type === 4
              ? 8
              : type === 5
                ? 6
                : type === 6
                  ? pending.length < 8
                    ? Number.POSITIVE_INFINITY
                    : 8 + Math.abs(pending.readInt32BE(4))
                  : 1;
    if (pending.length < size) return false;
    if (type === 0) shift = { red: pending[14] ?? 16, green: pending[15] ?? 8, blue: pending[16] ?? 0 };
    // The first frame at once, later ones a few times a second.
    if (type === 3) setTimeout(() => ws.readyState === 1 && frame(), pending[1] === 0 ? 0 : 200);
    if (type === 4 && pending[1] === 1) keys++;
    if (type === 5) pointer = { x: pending.readUInt16BE(2), y: pending.readUInt16BE(4) };
    pending = pending.subarray(size);
    return true;
  }

  ws.on('message', (data) => {
    pending = Buffer.concat([pending, data as Buffer]);
    while (take()) {
      // Until nothing whole is left.
    }
  });
  void height;
  width = Math.round(width);
}
