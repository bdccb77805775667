/**
 * Keeps every project network as it was promised: compares it once a minute and after each network event, repairs what
 * differs, and says no to starting guests while a network cannot be brought back.
 */
import type { Logger } from 'pino';
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import type { Engine, NetworkSpec } from './engine.ts';
import type { KeyedLocks } from './locks.ts';
import type { AgentState } from './state.ts';

export const GUARD_SECONDS = 60;
/** A verdict older than this is not trusted for starting a guest. */
const VERDICT_SECONDS_MAX = 2 * GUARD_SECONDS;

export type HostGuard = { check(): Promise<string[]> };
type Verdict = { at: number; problem: string | null };
/** Checks that began at `at` and that nobody waits for yet; `again` repeats them when they failed. */
type Recheck = { at: number; under: Promise<void>; again: () => Promise<void> };

export class NetworkGuard {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #host: HostGuard;
  readonly #log: Logger;
  readonly #verdicts = new Map<ProjectId, Verdict>();
  readonly #rechecks = new Map<ProjectId, Recheck>();
  #timer: NodeJS.Timeout | null = null;
  #hostProblem: string | null = null;

  constructor(engine: Engine, state: AgentState, locks: KeyedLocks, host: HostGuard, log: Logger) {
    this.#engine = engine;
    this.#state = state;
    this.#locks = locks;
    this.#host = host;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => void this.checkAll(), GUARD_SECONDS * 1000);
    void this.checkAll();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Compares and repairs everything; problems are logged and kept for `assertProtected`. */
  async checkAll(): Promise<void> {
    await this.#checkHost();
    for (const spec of this.#state.networks) {
      try {
        await this.check(spec);
      } catch {
        // Kept as the verdict; the next round tries again.
      }
    }
  }

  /** Makes one network as specified. `asked`: differences are expected. Errors: what the engine refuses. */
  async check(spec: NetworkSpec, asked = false): Promise<void> {
    await this.#locks.run(spec.project, async () => {
      try {
        const repaired = await this.#engine.guardNetwork(spec);
        if (repaired.length > 0 && !asked)
          this.#log.warn({ project: spec.project, repaired }, 'network was not as promised and was repaired');
        this.#verdicts.set(spec.project, { at: Date.now(), problem: null });
      } catch (error) {
        const problem = error instanceof BerthError ? (error.detail ?? error.message) : String(error);
        this.#log.error({ project: spec.project, problem }, 'network could not be checked');
        this.#verdicts.set(spec.project, { at: Date.now(), problem });
        throw error;
      }
    });
  }

  /**
   * Runs `checks` of a network beside what comes next, when it was seen in place a moment ago: what starts guests waits
   * for them. They hold for as long as everything is checked anyway, so that of many guests made one after the other the
   * first asks for all. Otherwise it waits itself. Errors: those of `checks`, here or where a guest is to start.
   */
  async recheck(project: ProjectId, checks: () => Promise<void>): Promise<void> {
    if (!this.#isFresh(project)) return checks();
    const last = this.#rechecks.get(project);
    if (last !== undefined && Date.now() - last.at < GUARD_SECONDS * 1000) return;
    const under = checks();
    // Whoever starts a guest meets the error; until then nobody listens.
    under.catch(() => undefined);
    this.#rechecks.set(project, { at: Date.now(), under, again: checks });
  }

  /** Throws `unavailable` unless the network was seen in place a moment ago. For what makes guests but starts none. */
  async assertPrepared(project: ProjectId): Promise<void> {
    const spec = this.#state.network(project);
    if (spec === null) throw new BerthError('conflict', 'The project has no network on this host yet.');
    if (this.#hostProblem !== null) await this.#checkHost();
    if (this.#hostProblem !== null) throw unprotected(this.#hostProblem);
    if (this.#isFresh(project)) return;
    try {
      await this.check(spec);
    } catch (error) {
      throw unprotected(error instanceof BerthError ? (error.detail ?? error.message) : String(error));
    }
  }

  /** The same for what starts guests: checks under way are waited for, and repeated when they failed. */
  async assertProtected(project: ProjectId): Promise<void> {
    const recheck = this.#rechecks.get(project);
    await recheck?.under.catch(() => {
      const under = recheck.again();
      this.#rechecks.set(project, { ...recheck, under });
      return under;
    });
    await this.assertPrepared(project);
  }

  forget(project: ProjectId): void {
    this.#verdicts.delete(project);
    this.#rechecks.delete(project);
  }

  #isFresh(project: ProjectId): boolean {
    const verdict = this.#verdicts.get(project);
    return verdict?.problem === null && Date.now() - verdict.at < VERDICT_SECONDS_MAX * 1000;
  }

  async #checkHost(): Promise<void> {
    try {
      const repaired = await this.#host.check();
      if (repaired.length > 0) this.#log.warn({ repaired }, "the host's own firewall table was repaired");
      this.#hostProblem = null;
    } catch (error) {
      this.#hostProblem = error instanceof BerthError ? (error.detail ?? error.message) : String(error);
      this.#log.error({ problem: this.#hostProblem }, "the host's own firewall table is missing");
    }
  }
}

function unprotected(detail: string): BerthError {
  return new BerthError(
    'unavailable',
    'The network protection of this project is not in place, so nothing is started.',
    {
      detail,
      retryAfterSeconds: GUARD_SECONDS,
    },
  );
}
