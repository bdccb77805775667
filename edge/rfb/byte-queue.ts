/** Bytes that arrive in pieces, taken in the lengths a protocol asks for. Bounded; ends with an error for every reader. */
export const QUEUE_BYTES_MAX = 1024 * 1024;

export class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;
  #full = false;
  #waiting: { bytes: number; resolve: (chunk: Buffer) => void; reject: (error: Error) => void } | null = null;
  #error: Error | null = null;
  readonly #max: number;

  readonly #onRoom: () => void;

  /** `onRoom` is called when a full queue has been read half empty. */
  constructor(max: number = QUEUE_BYTES_MAX, onRoom: () => void = () => {}) {
    this.#max = max;
    this.#onRoom = onRoom;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds what arrived. False when more is buffered than anybody should need at once: the sender must wait. */
  push(chunk: Buffer): boolean {
    if (this.#error !== null || chunk.length === 0) return true;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#serve();
    this.#full = this.#length >= this.#max;
    return !this.#full;
  }

  /** No more bytes will come. */
  fail(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  /** The next `bytes` bytes. One reader at a time. Errors: whatever `fail` was given, RangeError for absurd lengths. */
  read(bytes: number): Promise<Buffer> {
    if (this.#waiting !== null) throw new Error('two readers of one stream');
    if (bytes > this.#max) return Promise.reject(new RangeError(`a message of ${bytes} bytes is too long`));
    if (this.#length >= bytes) return Promise.resolve(this.take(bytes));
    if (this.#error !== null) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting = { bytes, resolve, reject };
    });
  }

  /** Takes `bytes` bytes that are there already, or all when not told. */
  take(bytes: number = this.#length): Buffer {
    if (bytes === 0) return Buffer.alloc(0);
    const first = this.#chunks[0]!;
    this.#length -= bytes;
    if (this.#full && this.#length < this.#max / 2) {
      this.#full = false;
      this.#onRoom();
    }
    if (first.length === bytes) {
      this.#chunks.shift();
      return first;
    }
    if (first.length > bytes) {
      this.#chunks[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    const result = Buffer.allocUnsafe(bytes);
    let filled = 0;
    while (filled < bytes) {
      const chunk = this.#chunks[0]!;
      const part = Math.min(chunk.length, bytes - filled);
      chunk.copy(result, filled, 0, part);
      filled += part;
      if (part === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part);
    }
    return result;
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === null || this.#length < waiting.bytes) return;
    this.#waiting = null;
    waiting.resolve(this.take(waiting.bytes));
  }
}
