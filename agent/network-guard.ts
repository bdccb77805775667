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

export class NetworkGuard {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #host: HostGuard;
  readonly #log: Logger;
  readonly #verdicts = new Map<ProjectId, Verdict>();
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

  /** Throws `unavailable` unless the project's network protection was seen in place a moment ago. */
  async assertProtected(project: ProjectId): Promise<void> {
    const spec = this.#state.network(project);
    if (spec === null) throw new BerthError('conflict', 'The project has no network on this host yet.');
    if (this.#hostProblem !== null) await this.#checkHost();
    if (this.#hostProblem !== null) throw unprotected(this.#hostProblem);
    const verdict = this.#verdicts.get(project);
    if (verdict !== undefined && verdict.problem === null && Date.now() - verdict.at < VERDICT_SECONDS_MAX * 1000)
      return;
    try {
      await this.check(spec);
    } catch (error) {
      throw unprotected(error instanceof BerthError ? (error.detail ?? error.message) : String(error));
    }
  }

  forget(project: ProjectId): void {
    this.#verdicts.delete(project);
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
