/** Whenever the engine closes its ends, what a command said arrives, or its loss is an error. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { IncusClient } from './client.ts';
import { execCollect, execSession } from './exec.ts';

const OPERATION = '/1.0/operations/1';
const HOW = { timeoutMs: 10_000, bytesMax: 10_000 };
const TARGET = { name: 'guest', project: 'project' };

/**
 * An engine as it is on a busy day: it greets with a ping, and a command that nobody holds has ended, and all its
 * connections are closed, before anybody has read on.
 */
let server: Server;
let path: string;
let client: IncusClient;
/** Does the engine lose what was said? */
let loses: boolean;
/** In the order in which they came. */
let opened: string[];

beforeEach(async () => {
  path = join(tmpdir(), `berth-exec-${randomBytes(4).toString('hex')}.sock`);
  loses = false;
  opened = [];
  const fds = Object.fromEntries(['control', '0', '1', '2'].map((fd) => [fd, `secret-${fd}`]));
  const streams = new Map<string, { socket: WebSocket; pipe: Socket }>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let words = '';
  let stays = false;
  server = createServer(async (question, answer) => {
    const reply = (value: unknown) => answer.end(JSON.stringify(value));
    if (question.method === 'POST') {
      const { command } = (await json(question)) as { command: string[] };
      stays = command[0] === 'sh';
      words = stays ? String(command[4]) : '';
      reply({ type: 'async', operation: OPERATION, metadata: { id: '1', status_code: 103, metadata: { fds } } });
    } else {
      const done = { id: '1', status_code: 200, err: '', metadata: { return: 3 } };
      void ended.then(() => reply({ type: 'sync', metadata: done }));
    }
  });
  const say = () => {
    for (const stream of ['1', '2']) {
      const said = loses ? '' : `said on ${stream}${words}`;
      // In two pieces, somewhere in what says that it is the end.
      for (const piece of [said.slice(0, 20), said.slice(20)])
        if (piece !== '') streams.get(stream)?.socket.send(Buffer.from(piece), { binary: true });
    }
  };
  const over = () => {
    for (const [stream, { socket, pipe }] of streams) {
      if (stream === 'control') continue;
      if (stream !== '0') socket.send('', { binary: false });
      pipe.destroySoon();
    }
    end();
  };
  const greeter = new WebSocketServer({ noServer: true });
  server.on('upgrade', (question, pipe: Socket, head) => {
    const secret = new URL(question.url ?? '', 'http://engine').searchParams.get('secret') ?? '';
    const fd = secret.replace('secret-', '');
    opened.push(fd);
    pipe.on('error', () => undefined);
    // One write: the ping is there with the answer to the upgrade.
    pipe.cork();
    greeter.handleUpgrade(question, pipe, head, (socket) => {
      socket.on('error', () => undefined);
      streams.set(fd, { socket, pipe });
      socket.ping('keepalive');
      if (!['0', '1', '2'].every((each) => streams.has(each))) return pipe.uncork();
      // The answer to the last connection is sent first: who reads it, and then the ping on another one, has not read
      // what is behind the ping.
      setTimeout(() => {
        pipe.uncork();
        say();
        if (stays && !loses) socket.once('message', over);
        else over();
      }, 50);
      return undefined;
    });
  });
  server.listen(path);
  await once(server, 'listening');
  client = new IncusClient(path);
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
  rmSync(path, { force: true });
});

describe('commands inside guests', () => {
  it('V2: a command stays until all that it said has arrived', async () => {
    expect(await execCollect(client, TARGET, ['true'], HOW)).toEqual({
      code: 3,
      stdout: 'said on 1',
      stderr: 'said on 2',
    });
  });

  it('V2: what is lost is an error and never taken for silence', async () => {
    loses = true;
    await expect(execCollect(client, TARGET, ['true'], HOW)).rejects.toMatchObject({ code: 'upstream_failed' });
  });

  it('V2: the command begins when everybody listens', async () => {
    await execCollect(client, TARGET, ['true'], HOW);
    expect(opened.slice(0, 3).sort()).toEqual(['1', '2', 'control']);
    expect(opened[3]).toBe('0');
  });

  it('V2: all that a followed command said arrives, though the engine has closed everything by then', async () => {
    const session = await execSession(client, TARGET, ['true'], { uid: 0, gid: 0 }, null);
    const heard = { 1: '', 2: '' };
    session.onOutput((bytes, fd) => {
      heard[fd] += bytes.toString();
    });
    expect(await session.exited).toBe(3);
    expect(heard).toEqual({ 1: 'said on 1', 2: 'said on 2' });
  });
});
