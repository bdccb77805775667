import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteQueue } from './byte-queue.ts';
import { CUT_TEXT_BYTES_MAX, ViewOnlyFilter } from './client-messages.ts';
import { clientHandshake, serverHandshake } from './handshake.ts';
import { encodePng, shrink } from './picture.ts';
import { desEncrypt, vncResponse } from './vnc-auth.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('VNC authentication', () => {
  it.each([
    // NIST SP 800-17 and the classic worked example of DES.
    ['133457799bbcdff1', '0123456789abcdef', '85e813540f0ab405'],
    ['0101010101010101', '8000000000000000', '95f8a5e5dd31d900'],
    ['8001010101010101', '0000000000000000', '95a8d72813daa94d'],
    ['7ca110454a1a6e57', '01a1d6d039776742', '690f5b0d9a26939b'],
  ])('is DES: key %s, block %s -> %s', (key, block, cipher) => {
    expect(desEncrypt(hex(key), hex(block)).toString('hex')).toBe(cipher);
  });

  it('reverses the bits of the password and cuts it to eight bytes', () => {
    const challenge = Buffer.from(Array.from({ length: 16 }, (_, index) => index));
    // 'COW' = 43 4f 57; bits reversed c2 f2 ea.
    expect(vncResponse('COW', challenge)).toEqual(desEncrypt(hex('c2f2ea0000000000'), challenge));
    expect(vncResponse('12345678', challenge)).toEqual(vncResponse('123456789', challenge));
    expect(() => vncResponse('x', Buffer.alloc(8))).toThrow(RangeError);
  });
});

describe('ByteQueue', () => {
  it('gives the same bytes however they arrive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(30)), async (bytes, cuts) => {
        const queue = new ByteQueue();
        let at = 0;
        for (const cut of cuts) {
          queue.push(Buffer.from(bytes.subarray(at, at + cut)));
          at = Math.min(bytes.length, at + cut);
        }
        queue.push(Buffer.from(bytes.subarray(at)));
        const parts: Buffer[] = [];
        for (let left = bytes.length; left > 0; ) {
          const take = Math.min(left, 7);
          parts.push(await queue.read(take));
          left -= take;
        }
        expect(Buffer.concat(parts)).toEqual(Buffer.from(bytes));
        expect(queue.length).toBe(0);
      }),
    );
  });

  it('says when it is full and when there is room again', async () => {
    let room = 0;
    const queue = new ByteQueue(10, () => room++);
    expect(queue.push(Buffer.alloc(9))).toBe(true);
    expect(queue.push(Buffer.alloc(9))).toBe(false);
    await queue.read(10);
    expect(room).toBe(0);
    await queue.read(6);
    expect(room).toBe(1);
    await expect(queue.read(11)).rejects.toThrow(RangeError);
    const waiting = queue.read(5);
    queue.fail(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
  });
});

/** Both ends in one process. */
function pair() {
  const [left, right] = [new ByteQueue(), new ByteQueue()];
  return {
    client: { input: left, send: (bytes: Buffer) => void right.push(bytes) },
    server: { input: right, send: (bytes: Buffer) => void left.push(bytes) },
  };
}

describe('handshake', () => {
  it('the two ends agree on RFB 3.8 without a password', async () => {
    const { client, server } = pair();
    const serving = serverHandshake(server);
    await clientHandshake(client, '');
    client.send(Buffer.from([1]));
    await serving;
  });

  it('answers the challenge when the server asks for a password, also when it offers None as well', async () => {
    const { client, server } = pair();
    const opening = clientHandshake(client, 'secret');
    server.send(Buffer.from('RFB 003.008\n'));
    expect((await server.input.read(12)).toString()).toBe('RFB 003.008\n');
    server.send(Buffer.from([2, 1, 2]));
    expect(await server.input.read(1)).toEqual(Buffer.from([2]));
    const challenge = Buffer.alloc(16, 5);
    server.send(challenge);
    expect(await server.input.read(16)).toEqual(vncResponse('secret', challenge));
    server.send(Buffer.alloc(4));
    await opening;
  });

  it.each([
    ['not RFB', [Buffer.from('SSH-2.0-Open')], /not an RFB server/],
    ['too old', [Buffer.from('RFB 003.003\n')], /too old/],
    ['no types', [Buffer.from('RFB 003.008\n'), Buffer.from([0, 0, 0, 0, 4]), Buffer.from('busy')], /busy/],
    ['only unknown types', [Buffer.from('RFB 003.008\n'), Buffer.from([1, 18])], /security types 18/],
    [
      'wrong password',
      [
        Buffer.from('RFB 003.008\n'),
        Buffer.from([1, 2]),
        Buffer.alloc(16),
        hex('00000001 00000003'),
        Buffer.from('bad'),
      ],
      /bad/,
    ],
  ])('refuses a server: %s', async (_name, bytes, message) => {
    const { client } = pair();
    for (const chunk of bytes) client.input.push(chunk);
    await expect(clientHandshake(client, 'x')).rejects.toThrow(message);
  });
});

describe('ViewOnlyFilter', () => {
  const encodings = (list: number[]) => {
    const message = Buffer.alloc(4 + 4 * list.length);
    message[0] = 2;
    message.writeUInt16BE(list.length, 2);
    for (const [index, encoding] of list.entries()) message.writeInt32BE(encoding, 4 + 4 * index);
    return message;
  };
  const request = Buffer.from([3, 1, 0, 0, 0, 0, 3, 32, 2, 88]);
  const cutText = (length: number) => {
    const message = Buffer.alloc(8 + Math.abs(length), 65);
    message.fill(0, 0, 8);
    message[0] = 6;
    message.writeInt32BE(length, 4);
    return message;
  };
  const dropped = [
    Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]),
    Buffer.from([5, 1, 0, 10, 0, 10]),
    cutText(5),
    cutText(-9),
    Buffer.from([250, 0, 1, 2]),
    Buffer.concat([Buffer.from([251, 0, 3, 32, 2, 88, 1, 0]), Buffer.alloc(16)]),
    Buffer.from([255, 0, 0, 1, 0, 0, 0, 97, 0, 0, 0, 30]),
  ];

  it('D7: passes looking, drops acting, in whatever pieces it arrives', () => {
    const passed = [
      Buffer.concat([Buffer.from([0]), Buffer.alloc(19, 7)]),
      encodings([0, 7, -223]),
      request,
      Buffer.from([150, 1, 0, 0, 0, 0, 3, 32, 2, 88]),
      Buffer.concat([Buffer.from([248, 0, 0, 0, 0, 0, 0, 1, 3]), Buffer.from('abc')]),
    ];
    const all = passed.flatMap((message, index) => [message, dropped[index]!, dropped[(index + 5) % dropped.length]!]);
    const stream = Buffer.concat(all);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (cuts) => {
        const filter = new ViewOnlyFilter();
        const out: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          out.push(filter.feed(stream.subarray(at, Math.min(stream.length, at + cut))));
          at = Math.min(stream.length, at + cut);
        }
        expect(Buffer.concat(out)).toEqual(Buffer.concat(passed));
      }),
    );
  });

  it('D7: hides the encodings that would let a viewer act in longer messages', () => {
    const filter = new ViewOnlyFilter();
    expect(filter.feed(encodings([7, -258, -308, -309, -316, -1063131698, 0]))).toEqual(encodings([7, 0, -223]));
  });

  it('ends on what it cannot follow', () => {
    for (const bytes of [
      Buffer.from([99]),
      Buffer.from([255, 1, 0, 0]),
      cutText(CUT_TEXT_BYTES_MAX + 1).subarray(0, 8),
    ]) {
      expect(() => new ViewOnlyFilter().feed(bytes)).toThrow();
    }
  });
});

describe('pictures', () => {
  const frame = (width: number, height: number, paint: (x: number, y: number) => number[]) => {
    const pixels = Buffer.alloc(width * height * 4);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) pixels.set(paint(x, y), (y * width + x) * 4);
    return { width, height, pixels };
  };

  it('averages the pixels that one pixel covers, and never scales up', () => {
    const board = frame(4, 2, (x) => (x % 2 === 0 ? [200, 100, 0, 9] : [100, 0, 50, 9]));
    const half = shrink(board, 2);
    expect([half.width, half.height, [...half.pixels]]).toEqual([2, 1, [150, 50, 25, 150, 50, 25]]);
    expect(shrink(board, 480).width).toBe(4);
    expect(
      shrink(
        frame(1920, 1080, () => [1, 2, 3, 4]),
        480,
      ),
    ).toMatchObject({ width: 480, height: 270 });
  });

  it('writes a PNG that decodes to the same pixels', async () => {
    const noise = frame(31, 17, (x, y) => [(x * 37 + y * 91) & 255, (x * y) & 255, (x ^ (y * 13)) & 255, 0]);
    const picture = shrink(noise, 480);
    const png = await encodePng(picture);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([31, 17]);
    const raw = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)));
    const stride = 31 * 3;
    const decoded = Buffer.alloc(stride * 17);
    for (let y = 0; y < 17; y++) {
      const filter = raw[y * (stride + 1)]!;
      for (let x = 0; x < stride; x++) {
        const left = x >= 3 ? decoded[y * stride + x - 3]! : 0;
        const up = y > 0 ? decoded[(y - 1) * stride + x]! : 0;
        const corner = x >= 3 && y > 0 ? decoded[(y - 1) * stride + x - 3]! : 0;
        const estimate = left + up - corner;
        const [a, b, c] = [left, up, corner].map((value) => Math.abs(estimate - value)) as [number, number, number];
        const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
        const base = [0, left, up, Number.NaN, paeth][filter]!;
        decoded[y * stride + x] = raw[y * (stride + 1) + 1 + x]! + base;
      }
    }
    expect(decoded).toEqual(picture.pixels);
  });
});
