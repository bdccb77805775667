import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, ServerChannel } from 'ssh2';
import { expect, it } from 'vitest';
import { relaySession } from './relay.ts';

/** What the relay uses of a channel of ssh2. */
class FakeChannel extends PassThrough {
  readonly stderr = new PassThrough();
  readonly exits: number[] = [];
  ended = 0;

  exit(code: number): void {
    this.exits.push(code);
  }

  override end(): this {
    this.ended++;
    return this;
  }
}

const pair = () => ({ down: new FakeChannel(), up: new FakeChannel() });
const relay = (down: FakeChannel, up: FakeChannel, cut: AbortSignal) =>
  relaySession(down as unknown as ServerChannel, up as unknown as Channel, { tap: () => new PassThrough(), cut });

it('V4: a shell that ends by itself: its exit is passed on', async () => {
  const { down, up } = pair();
  relay(down, up, new AbortController().signal);
  up.emit('exit', 3);
  up.stderr.destroy();
  up.destroy();
  await sleep(20);
  expect(down).toMatchObject({ exits: [3], ended: 1 });
});

it('V4: a shell that is cut: the server is left, and its exit does not end what the person is still told', async () => {
  const { down, up } = pair();
  const cut = new AbortController();
  relay(down, up, cut.signal);
  up.emit('exit', 0);
  cut.abort();
  await sleep(20);
  expect(up.destroyed).toBe(true);
  expect(down).toMatchObject({ exits: [], ended: 0 });
});

it('V4: a shell that was cut before it was open is closed at once', async () => {
  const { down, up } = pair();
  relay(down, up, AbortSignal.abort());
  await sleep(20);
  expect(up.destroyed).toBe(true);
  expect(down).toMatchObject({ exits: [], ended: 0 });
});
