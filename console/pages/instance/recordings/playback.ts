/**
 * Replays a recording into something that takes output. Knows no clock and no screen: whoever drives it says what time it
 * is. Long pauses of whoever was recorded are shortened.
 */
import { type Cast, readCastSize } from '#domain/ssh-recordings.ts';

export type Sink = {
  /** An empty screen of this size. */
  reset(columns: number, rows: number): void;
  resize(columns: number, rows: number): void;
  write(text: string): void;
};

/** Nothing happened for longer than this: nobody wants to wait for it. */
const PAUSE_SECONDS_MAX = 2;
/** Pieces of output that are handed over together at a jump. */
const PIECE_LENGTH_MAX = 1_000_000;

export class Playback {
  readonly #cast: Cast;
  readonly #sink: Sink;
  /** When each event is due, in seconds, pauses shortened. */
  readonly #due: Float64Array;
  /** Seconds it takes at speed 1. */
  readonly length: number;
  #at = 0;
  #next = 0;
  #speed = 1;
  #since: number | null = null;

  constructor(cast: Cast, sink: Sink) {
    this.#cast = cast;
    this.#sink = sink;
    this.#due = new Float64Array(cast.events.length);
    let due = 0;
    let before = 0;
    for (const [index, [at]] of cast.events.entries()) {
      due += Math.min(at - before, PAUSE_SECONDS_MAX);
      before = at;
      this.#due[index] = due;
    }
    this.length = due;
    sink.reset(cast.width, cast.height);
  }

  /** Seconds, as `length`. */
  get position(): number {
    return this.#at;
  }

  get playing(): boolean {
    return this.#since !== null;
  }

  get speed(): number {
    return this.#speed;
  }

  /** From the beginning when it is at its end. `now` in milliseconds, here and below. */
  play(now: number): void {
    if (this.#at >= this.length) this.seek(0, now);
    this.#since = now;
  }

  pause(now: number): void {
    this.advance(now);
    this.#since = null;
  }

  setSpeed(speed: number, now: number): void {
    this.advance(now);
    this.#speed = speed;
  }

  /** Jumps; what was shown until there is on the screen. */
  seek(seconds: number, now: number): void {
    const to = Math.max(0, Math.min(seconds, this.length));
    if (to < this.#at) {
      this.#next = 0;
      this.#sink.reset(this.#cast.width, this.#cast.height);
    }
    this.#at = to;
    if (this.#since !== null) this.#since = now;
    this.#show();
  }

  /** Shows what is due by now; at its end it pauses by itself. */
  advance(now: number): void {
    if (this.#since === null) return;
    this.#at = Math.min(this.length, this.#at + (Math.max(0, now - this.#since) / 1000) * this.#speed);
    this.#since = now;
    this.#show();
    if (this.#at >= this.length) this.#since = null;
  }

  #show(): void {
    const { events } = this.#cast;
    let text = '';
    const flush = () => {
      if (text !== '') this.#sink.write(text);
      text = '';
    };
    for (; this.#next < events.length && (this.#due[this.#next] ?? 0) <= this.#at; this.#next++) {
      const [, kind, data] = events[this.#next] ?? [0, 'o', ''];
      if (kind === 'o') {
        text += data;
        if (text.length >= PIECE_LENGTH_MAX) flush();
        continue;
      }
      const size = readCastSize(data);
      flush();
      if (size !== null) this.#sink.resize(size.columns, size.rows);
    }
    flush();
  }
}
