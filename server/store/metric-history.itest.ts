/** Rolling up and forgetting, with random histories against plain arithmetic. */
import fc from 'fast-check';
import { sql } from 'kysely';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InstanceId, makeId } from '#domain/ids.ts';
import { metricTiers } from '#domain/metrics.ts';
import { newId } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Db, openDatabase, openPool } from './database.ts';
import { forgetMetrics, rollUp } from './metric-history.ts';

let pool: Pool;
let db: Db;
beforeAll(async () => {
  pool = openPool((await withDatabase()).url);
  db = openDatabase(pool);
});
afterAll(() => pool.end());

const NOW = Date.parse('2026-03-02T00:00:00Z');
type Sample = { at: number; cpu: number | null; memory: number };

async function add(subject: InstanceId, samples: readonly Sample[]): Promise<void> {
  for (let from = 0; from < samples.length; from += 1_000) {
    await db
      .insertInto('metric_point')
      .values(
        samples.slice(from, from + 1_000).map(({ at, cpu, memory }) => ({
          subject,
          tier: 10,
          at: new Date(at),
          samples: 1,
          rated: cpu === null ? 0 : 1,
          cpu,
          cpu_max: cpu,
          memory,
          memory_max: memory,
          memory_limit: memory * 2,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
const wipe = () => sql`delete from metric_point`.execute(db);
const points = (subject: InstanceId, tier: number) =>
  db
    .selectFrom('metric_point')
    .selectAll()
    .where('subject', '=', subject)
    .where('tier', '=', tier)
    .orderBy('at')
    .execute();
const mean = (values: readonly number[]) =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
const rollAll = async () => {
  for (const tier of [60, 3600, 86_400] as const) await rollUp(db, tier);
};

const history = fc.uniqueArray(
  fc.record({
    slot: fc.nat(3 * 360 - 1),
    cpu: fc.option(fc.double({ min: 0, max: 64, noNaN: true }), { nil: null }),
    memory: fc.integer({ min: 0, max: 2 ** 40 }),
  }),
  { minLength: 1, maxLength: 200, selector: ({ slot }) => slot },
);

describe('V11: tiers', () => {
  it('V11: an average of averages is the average of all samples, the highest stays the highest, the last is the last', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (all) => {
        await wipe();
        const subject = newId('ins');
        const samples = all
          .map(({ slot, cpu, memory }) => ({ at: NOW - 3 * 3600_000 + slot * 10_000, cpu, memory }))
          .sort((a, b) => a.at - b.at);
        await add(subject, samples);
        await rollAll();
        for (const tier of [60, 3600, 86_400]) {
          const buckets = Map.groupBy(samples, ({ at }) => Math.floor(at / 1000 / tier) * tier * 1000);
          const rows = await points(subject, tier);
          expect(rows.map((row) => row.at.getTime())).toEqual([...buckets.keys()].sort((a, b) => a - b));
          for (const row of rows) {
            const bucket = buckets.get(row.at.getTime()) ?? [];
            const cpu = bucket.flatMap((sample) => sample.cpu ?? []);
            expect(row.samples).toBe(bucket.length);
            expect(row.rated).toBe(cpu.length);
            expect(row.memory).toBeCloseTo(mean(bucket.map((sample) => sample.memory)) ?? -1, -2);
            expect(row.memory_max).toBe(Math.max(...bucket.map((sample) => sample.memory)));
            expect(row.memory_limit).toBe((bucket.at(-1)?.memory ?? -1) * 2);
            if (cpu.length === 0) expect(row.cpu).toBeNull();
            else expect(row.cpu).toBeCloseTo(mean(cpu) ?? -1, 6);
            expect(row.cpu_max).toBe(cpu.length === 0 ? null : Math.max(...cpu));
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('V11: samples that come in pieces, late or twice give the same as all at once', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(3 * 360), async (all, cut) => {
        await wipe();
        const [pieces, whole] = [newId('ins'), newId('ins')];
        const samples = all.map(({ slot, cpu, memory }) => ({ at: NOW - 3 * 3600_000 + slot * 10_000, cpu, memory }));
        const edge = NOW - 3 * 3600_000 + cut * 10_000;
        // The second piece begins up to ten minutes before the end of the first: late, and partly twice.
        await add(
          pieces,
          samples.filter(({ at }) => at < edge && at % 20_000 === 0),
        );
        await add(
          pieces,
          samples.filter(({ at }) => at < edge - 600_000),
        );
        await rollAll();
        await add(
          pieces,
          samples.filter(({ at }) => at >= edge - 600_000),
        );
        await rollAll();
        const got = await Promise.all([60, 3600, 86_400].map((tier) => points(pieces, tier)));
        await wipe();
        await add(whole, samples);
        await rollAll();
        const want = await Promise.all([60, 3600, 86_400].map((tier) => points(whole, tier)));
        expect(got.map((rows) => rows.map(({ subject, ...row }) => row))).toEqual(
          want.map((rows) => rows.map(({ subject, ...row }) => row)),
        );
      }),
      { numRuns: 15 },
    );
  });
});

describe('V11: retention', () => {
  it('V11: what is older than its tier keeps goes; what was rolled up before stays whole', async () => {
    await wipe();
    const subject = makeId('ins', NOW, () => new Uint8Array(16));
    const samples = Array.from({ length: 8 * 360 }, (_, index) => ({
      at: NOW - 8 * 3600_000 + index * 10_000,
      cpu: 1,
      memory: 100,
    }));
    await add(subject, samples);
    await rollAll();
    const before = await points(subject, 60);
    expect(before).toHaveLength(480);
    while (await forgetMetrics(db, NOW));
    const raw = await points(subject, 10);
    expect(raw[0]?.at.getTime()).toBe(NOW - 2 * 3600_000);
    expect(raw).toHaveLength(720);
    await rollAll();
    expect(await points(subject, 60)).toEqual(before);
    expect(await points(subject, 3600)).toHaveLength(8);
    // A hundred days later nothing is left, in a bounded number of rounds.
    while (await forgetMetrics(db, NOW + 100 * 86_400_000));
    expect(await db.selectFrom('metric_point').selectAll().execute()).toEqual([]);
  });

  it('V11: each tier keeps at least what the one after it is made of', () => {
    for (const [index, tier] of metricTiers.entries()) {
      const next = metricTiers[index + 1];
      if (next !== undefined) expect(tier.keptSeconds).toBeGreaterThanOrEqual(2 * next.seconds);
    }
  });
});
