/** Fault injection for the simulated driver: fail the nth call of a verb, delay it, or hang it until released. */
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '#domain/errors.ts';

export type SimulatedVerb =
  | 'host'
  | 'ensureNetwork'
  | 'removeNetwork'
  | 'createGuest'
  | 'cloneGuest'
  | 'observe'
  | 'list'
  | 'metrics'
  | 'flows'
  | 'power'
  | 'resize'
  | 'setHostname'
  | 'moveGuest'
  | 'destroyGuest'
  | 'setForwards'
  | 'setPolicies'
  | 'setRegistry'
  | 'createSnapshot'
  | 'restoreSnapshot'
  | 'deleteSnapshot'
  | 'backupGuest'
  | 'restoreBackup'
  | 'recoverGuest'
  | 'deleteBackup'
  | 'hasBackup'
  | 'removeRepository'
  | 'verifyRepository'
  | 'repositories'
  | 'health'
  | 'files'
  | 'innerContainers'
  | 'containerUsage'
  | 'actOnContainer'
  | 'dockerUsage'
  | 'stacks'
  | 'checkStack'
  | 'startGuestRun'
  | 'lookAtGuestRun'
  | 'endGuestRun'
  | 'sshHostKeys'
  | 'logs'
  | 'images'
  | 'recipes'
  | 'buildImage'
  | 'importImage'
  | 'deleteImage'
  | 'allowImages';

export type Fault = {
  verb: SimulatedVerb | '*';
  /** Which call fails, counted from now (1 = the next one). Default 1. */
  nth?: number;
  /** How many calls in a row fail from there on. Default 1; Infinity for "until cleared". */
  times?: number;
  /**
   * `before`: nothing happened. `after`: the engine did it, but the answer was lost, which is the case that finds
   * steps that do not look before they act.
   */
  when?: 'before' | 'after';
  error?: BerthError;
};

type Armed = Required<Omit<Fault, 'error'>> & { error: BerthError; seen: number };

/** Counts calls and decides which ones fail or wait. */
export class FaultInjector {
  #armed: Armed[] = [];
  #delays = new Map<SimulatedVerb | '*', number>();
  #calls: SimulatedVerb[] = [];

  /** Arms one fault. */
  fail(fault: Fault): void {
    this.#armed.push({
      verb: fault.verb,
      nth: fault.nth ?? 1,
      times: fault.times ?? 1,
      when: fault.when ?? 'before',
      error: fault.error ?? new BerthError('upstream_failed', `The simulated engine failed at ${fault.verb}.`),
      seen: 0,
    });
  }

  /** Every call of `verb` takes this many milliseconds from now on (0 removes it). */
  delay(verb: SimulatedVerb | '*', milliseconds: number): void {
    this.#delays.set(verb, milliseconds);
  }

  clear(): void {
    this.#armed = [];
    this.#delays.clear();
  }

  /** The calls made so far, oldest first. */
  get calls(): readonly SimulatedVerb[] {
    return this.#calls;
  }

  countOf(verb: SimulatedVerb): number {
    return this.#calls.filter((call) => call === verb).length;
  }

  /** Runs `body` as one call of `verb`, with whatever faults are armed. */
  async run<T>(verb: SimulatedVerb, body: () => T | Promise<T>): Promise<T> {
    this.#calls.push(verb);
    if (this.#calls.length > CALLS_KEPT_MAX) this.#calls.splice(0, this.#calls.length - CALLS_KEPT_MAX);
    const hit = this.#hit(verb);
    const wait = this.#delays.get(verb) ?? this.#delays.get('*') ?? 0;
    if (wait > 0) await delay(wait);
    if (hit?.when === 'before') throw hit.error;
    const result = await body();
    if (hit?.when === 'after') throw hit.error;
    return result;
  }

  #hit(verb: SimulatedVerb): Armed | null {
    let found: Armed | null = null;
    for (const fault of this.#armed) {
      if (fault.verb !== '*' && fault.verb !== verb) continue;
      fault.seen++;
      if (found === null && fault.seen >= fault.nth && fault.seen < fault.nth + fault.times) found = fault;
    }
    return found;
  }
}

/** Calls remembered for assertions. */
const CALLS_KEPT_MAX = 10_000;
