import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { together } from './together.ts';

describe('writes of one turn', () => {
  it('arrive in order, in one piece each turn, and the last ones too when the end follows at once', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const taken = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [other] = await taken;
    const arrived: Buffer[] = [];
    other.on('data', (data: Buffer) => arrived.push(data));
    const calls: number[] = [];
    const counted = socket as unknown as { _writev(chunks: unknown[], done: () => void): void };
    const writev = counted._writev.bind(socket);
    counted._writev = (chunks, done) => {
      calls.push(chunks.length);
      writev(chunks, done);
    };
    together(socket);
    for (const text of ['a', 'b', 'c']) socket.write(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toEqual([3]);
    for (const text of ['d', 'e']) socket.write(text);
    socket.end('f');
    await once(other, 'end');
    expect(Buffer.concat(arrived).toString()).toBe('abcdef');
    expect(calls.reduce((sum, count) => sum + count, 0)).toBe(6);
    server.close();
    other.destroy();
  });
});
