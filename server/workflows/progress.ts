/** How far a step is, written at most four times a second however often it is reported. */
export const PROGRESS_INTERVAL_MS = 250;

export class StepProgress {
  readonly #write: (percent: number | null, message: string | null) => Promise<void>;
  #latest: { percent: number | null; message: string | null } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #lastAt = 0;
  #closed = false;

  constructor(write: (percent: number | null, message: string | null) => Promise<void>) {
    this.#write = write;
  }

  /** `percent` 0..100 or null when not known. */
  readonly report = (percent: number | null, message: string | null): void => {
    if (this.#closed) return;
    this.#latest = { percent, message };
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#lastAt + PROGRESS_INTERVAL_MS - Date.now());
    this.#timer = setTimeout(() => this.#flush(), wait);
  };

  #flush(): void {
    this.#timer = null;
    const latest = this.#latest;
    this.#latest = null;
    if (latest === null) return;
    this.#lastAt = Date.now();
    // Progress is a courtesy: when it cannot be written the step goes on.
    this.#writing = this.#writing.then(() => this.#write(latest.percent, latest.message)).catch(() => {});
  }

  /** The last report is written, and none after this resolves. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#flush();
    }
    await this.#writing;
  }
}
