/**
 * Looks at the host and all guests every 10 s, by one bulk call of the engine, and keeps the last minutes in memory, so
 * that a control plane that was away a moment finds no hole. Counters are handed on as they are: rates are made where
 * they are kept.
 */
import type { Logger } from 'pino';
import type { AgentMetricSample } from '#contract/agent-results.ts';
import { SAMPLE_SECONDS } from '#domain/metrics.ts';
import type { Engine } from './engine.ts';
import { readHost } from './host-metrics.ts';

/** Five minutes: longer than the server takes to come back. */
export const SAMPLES_KEPT_MAX = 30;

const EVERY_MS = SAMPLE_SECONDS * 1000;

export class MetricSampler {
  readonly #engine: Pick<Engine, 'readings'>;
  readonly #log: Pick<Logger, 'warn' | 'info'>;
  readonly #samples: AgentMetricSample[] = [];
  #timer: NodeJS.Timeout | null = null;
  #looking = false;
  #failing = false;

  constructor(engine: Pick<Engine, 'readings'>, log: Pick<Logger, 'warn' | 'info'>) {
    this.#engine = engine;
    this.#log = log;
  }

  start(): void {
    if (this.#timer !== null) return;
    const next = (): void => {
      this.#timer = setTimeout(
        () => {
          next();
          void this.look();
        },
        EVERY_MS - (Date.now() % EVERY_MS),
      );
    };
    next();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** One look now. An engine that does not answer leaves a gap; one that is slow is not asked twice. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const guests = await this.#engine.readings();
      // The moment after the answer: the engine reads the counters while it is asked.
      this.#samples.push({ at: new Date().toISOString(), host: readHost(), guests });
      if (this.#samples.length > SAMPLES_KEPT_MAX) this.#samples.shift();
      if (this.#failing) this.#log.info({}, 'metrics are taken again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error }, 'no metrics: the engine does not answer');
      this.#failing = true;
    } finally {
      this.#looking = false;
    }
  }

  /** What was seen after `after` (null: everything still known), oldest first. */
  after(after: string | null): AgentMetricSample[] {
    const since = after === null ? 0 : Date.parse(after);
    return this.#samples.filter((sample) => Date.parse(sample.at) > since);
  }
}
