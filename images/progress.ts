export type BuildPhase = 'resolve' | 'download' | 'unpack' | 'configure' | 'customise' | 'pack';

export type BuildProgress = {
  phase: BuildPhase;
  /** 0 to 100, never falling within one build. */
  percent: number;
  /** What is happening, one line of the underlying tool or a sentence. */
  line: string;
};

/** Where each phase ends on the scale of 100. Measured on builds with an empty cache. */
const ends: Record<BuildPhase, number> = {
  resolve: 3,
  download: 35,
  unpack: 60,
  configure: 75,
  customise: 92,
  pack: 100,
};
const starts: Record<BuildPhase, number> = {
  resolve: 0,
  download: 3,
  unpack: 35,
  configure: 60,
  customise: 75,
  pack: 92,
};

/**
 * Turns the output of mmdebstrap (with --verbose: apt's and dpkg's own lines) into phases and a percentage that counts
 * packages. The essential packages come first in a short round of their own, reported as `resolve`.
 */
export class ProgressMeter {
  #percent = 0;
  #phase: BuildPhase = 'resolve';
  #total = 0;
  #mainRound = false;
  #counts: Record<'download' | 'unpack' | 'configure', number> = { download: 0, unpack: 0, configure: 0 };
  readonly #report: (progress: BuildProgress) => void;

  constructor(report: (progress: BuildProgress) => void) {
    this.#report = report;
  }

  /** One line of mmdebstrap. */
  line(text: string): void {
    const line = text.trimEnd();
    if (!line) return;
    if (/^I: installing remaining packages/.test(line)) this.#mainRound = true;
    const planned = /(\d+) newly installed/.exec(line);
    if (planned?.[1] && this.#mainRound) this.#total = Number(planned[1]);
    if (this.#mainRound) {
      if (/^Get:\d+ /.test(line)) this.#count('download');
      else if (/^Unpacking /.test(line)) this.#count('unpack');
      else if (/^Setting up /.test(line)) this.#count('configure');
    } else if (/^I: /.test(line)) {
      this.#percent = Math.min(ends.resolve, this.#percent + 0.5);
    }
    this.#emit(line);
  }

  /** A step outside mmdebstrap; `fraction` (0 to 1) of that phase is done. */
  step(phase: BuildPhase, fraction: number, line: string): void {
    this.#phase = phase;
    this.#raise(phase, fraction);
    this.#emit(line);
  }

  #count(phase: 'download' | 'unpack' | 'configure'): void {
    this.#counts[phase] += 1;
    this.#phase = phase;
    this.#raise(phase, this.#total > 0 ? this.#counts[phase] / this.#total : 0);
  }

  #raise(phase: BuildPhase, fraction: number): void {
    const share = Math.min(1, Math.max(0, fraction));
    this.#percent = Math.max(this.#percent, starts[phase] + (ends[phase] - starts[phase]) * share);
  }

  #emit(line: string): void {
    this.#report({ phase: this.#phase, percent: Math.round(this.#percent * 10) / 10, line });
  }
}
