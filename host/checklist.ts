/** Progress for people: one line per step with its duration, live detail under it on a terminal. Always on stderr. */
const DETAIL_EVERY_MS = 15_000;

export type Step = {
  /** What happens right now: shown live on a terminal, every 15 s elsewhere. */
  detail: (text: string) => void;
  /** Ends the line: "packages: nothing to do". */
  note: (text: string) => void;
  warn: (text: string) => void;
};

export class Checklist {
  readonly #out: NodeJS.WriteStream;
  readonly warnings: string[] = [];

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`);
  }

  /** Runs one step. A failure is printed with its reason and thrown on. */
  async step<T>(title: string, work: (step: Step) => Promise<T> | T): Promise<T> {
    const started = Date.now();
    const live = this.#out.isTTY === true;
    let note = '';
    let shownAt = started;
    const warnings: string[] = [];
    const clear = () => live && this.#out.write('\r\x1b[2K');
    if (live) this.#out.write(`  … ${title}`);
    const step: Step = {
      detail: (text) => {
        const short = text
          .replace(/\s+/g, ' ')
          .trim()
          .slice(0, Math.max(20, (this.#out.columns ?? 100) - title.length - 10));
        if (live) this.#out.write(`\r\x1b[2K  … ${title}  ${short}`);
        else if (Date.now() - shownAt >= DETAIL_EVERY_MS) {
          shownAt = Date.now();
          this.line(`    ${title}: ${short}`);
        }
      },
      note: (text) => {
        note = text;
      },
      warn: (text) => {
        warnings.push(text);
      },
    };
    try {
      const result = await work(step);
      clear();
      this.line(`  ✓ ${title}${note === '' ? '' : `: ${note}`}  (${seconds(Date.now() - started)})`);
      return result;
    } catch (error) {
      clear();
      this.line(`  ✗ ${title}  (${seconds(Date.now() - started)})`);
      throw error;
    } finally {
      for (const warning of warnings) {
        this.warnings.push(warning);
        this.line(`    ! ${warning}`);
      }
    }
  }
}

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
