/** A live checklist of an operation's steps. `renderOperation` is pure; `Progress` draws it on a terminal or a log. */
import { isFinished } from '#domain/operations.ts';
import type { OutputOf } from './client.ts';
import { formatDuration, type Paint, plain } from './format.ts';
import type { TerminalWritable } from './runtime.ts';

type Operation = OutputOf<'operationsGet'>;
type Step = Operation['steps'][number];

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const BAR_WIDTH = 24;
const REDRAW_MS = 100;

/** '███████░░░ 42%'. */
export function renderBar(percent: number, width: number = BAR_WIDTH): string {
  const bounded = Math.min(100, Math.max(0, percent));
  const full = Math.round((bounded / 100) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${String(Math.floor(bounded)).padStart(3)}%`;
}

function stepDuration(step: Step, now: number): string {
  if (step.startedAt === null) return '';
  return formatDuration((step.finishedAt === null ? now : Date.parse(step.finishedAt)) - Date.parse(step.startedAt));
}

function stepMark(step: Step, paint: Paint, frame: number): string {
  switch (step.state) {
    case 'succeeded':
      return paint.green('✓');
    case 'failed':
      return paint.red('✗');
    case 'stopped':
      return paint.yellow('■');
    case 'undone':
      return paint.yellow('↶');
    case 'skipped':
      return paint.dim('-');
    case 'running':
      return paint.cyan(SPINNER[frame % SPINNER.length] ?? '*');
    default:
      return paint.dim('·');
  }
}

/** The lines of one moment: title, then a line per step with its duration, and a bar where the share is known. */
export function renderOperation(
  operation: Operation,
  view: { now: number; paint: Paint; frame: number; width: number },
): string[] {
  const { paint, now, frame } = view;
  const usual =
    operation.usualSeconds === null || isFinished(operation.state)
      ? ''
      : paint.dim(` (usually ${formatDuration(operation.usualSeconds * 1000)})`);
  const lines = [`${paint.bold(plain(operation.title))}${usual}`];
  const width = Math.max(0, ...operation.steps.map((step) => [...step.title].length));
  for (const step of operation.steps) {
    const duration = stepDuration(step, now);
    const attempts = step.attempts > 1 ? ` (try ${step.attempts})` : '';
    let line = `  ${stepMark(step, paint, frame)} ${step.title.padEnd(width)}  ${paint.dim(duration.padStart(7))}`;
    const room = Math.max(0, view.width - width - 16);
    let extra = attempts;
    if (step.state === 'running' && step.percent !== null) extra += ` ${renderBar(step.percent)}`;
    if (step.message !== null && step.message !== '' && step.state !== 'succeeded') extra += ` ${plain(step.message)}`;
    const cut = [...extra].slice(0, room).join('');
    if (cut !== '') line += step.state === 'failed' ? paint.red(cut) : paint.dim(cut);
    lines.push(line.trimEnd());
  }
  return lines;
}

/** Draws an operation as it changes: redrawn in place on a terminal, one line per finished step elsewhere. */
export class Progress {
  readonly #stream: TerminalWritable;
  readonly #paint: Paint;
  readonly #now: () => number;
  #drawn = 0;
  #frame = 0;
  #latest: Operation | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #told = new Map<string, string>();

  constructor(stream: TerminalWritable, paint: Paint, now: () => number) {
    this.#stream = stream;
    this.#paint = paint;
    this.#now = now;
  }

  update(operation: Operation): void {
    this.#latest = operation;
    if (this.#stream.isTTY !== true) {
      this.#tell(operation);
      return;
    }
    this.#draw();
    this.#timer ??= setInterval(() => {
      this.#frame += 1;
      this.#draw();
    }, REDRAW_MS);
  }

  /** Leaves the last picture on the screen. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#stream.isTTY === true && this.#latest !== null) this.#draw();
    this.#drawn = 0;
  }

  #draw(): void {
    if (this.#latest === null) return;
    const width = this.#stream.columns || 80;
    const lines = renderOperation(this.#latest, { now: this.#now(), paint: this.#paint, frame: this.#frame, width });
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`;
    this.#stream.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[0J`);
    this.#drawn = lines.length;
  }

  #tell(operation: Operation): void {
    if (this.#told.size === 0) this.#stream.write(`${plain(operation.title)}\n`);
    this.#told.set('', operation.state);
    for (const step of operation.steps) {
      if (this.#told.get(step.name) === step.state) continue;
      this.#told.set(step.name, step.state);
      if (step.state === 'pending' || step.state === 'running') continue;
      const message = step.state === 'succeeded' || step.message === null ? '' : ` ${plain(step.message)}`;
      this.#stream.write(`  ${step.state}: ${step.title} ${stepDuration(step, this.#now())}${message}\n`);
    }
  }
}
