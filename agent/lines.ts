/** Lines out of a guest's byte streams, of bounded length. */

export const MESSAGE_LENGTH_MAX = 8_192;
export const UNIT_LENGTH_MAX = 128;
/** A line longer than this is skipped, so that one line cannot fill the memory. */
export const LINE_BYTES_MAX = 256 * 1024;

/** Cuts a byte stream into lines of bounded length; longer ones are dropped whole. */
export class LineSplitter {
  #rest: Buffer[] = [];
  #size = 0;
  #skipping = false;
  readonly #onLine: (line: string) => void;
  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Buffer): void {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      this.#add(bytes.subarray(start, end));
      this.#flush();
      start = end + 1;
    }
    this.#add(bytes.subarray(start));
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size > LINE_BYTES_MAX) {
      this.#skipping = true;
      this.#rest = [];
    }
    if (!this.#skipping) this.#rest.push(part);
  }

  #flush(): void {
    if (!this.#skipping && this.#size > 0) this.#onLine(Buffer.concat(this.#rest).toString('utf8'));
    this.#rest = [];
    this.#size = 0;
    this.#skipping = false;
  }
}
