/**
 * `node bench/audit.ts`: what the proof of the audit log costs, on a PostgreSQL with all its durability on.
 * 1. The share of a create's time in the database that goes into the chain (goal: at most 15 %).
 * 2. Changes per second of 16 writers in one organization, and how long one waits: linked at commit (what Berth does),
 *    linked at once under an advisory lock, and not linked at all.
 */
import { sql } from 'kysely';
import { api } from '#contract/api.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { asAdmin } from '#host/postgres.ts';
import { record } from '#server/store/audit.ts';
import { asSystem } from '#server/store/authorized.ts';
import { type Db, type Trx, transact } from '#server/store/database.ts';
import { createDatabase } from '#testkit/databases.ts';
import { makeImage, newName } from '#testkit/factories.ts';
import { startOwnPostgres } from '#testkit/own-postgres.ts';
import { idleWork, startTestServer } from '#testkit/server.ts';
import { median, percentile, print, round } from './measure.ts';

// A project has addresses for some 250.
const CREATES = 60;
const ROUNDS = 3;
const WRITERS = 16;
const ROUND_MS = 3_000;
/** Other statements of a change after its entry: quota, operation steps, hints. */
const LATER_STATEMENTS = 6;
const GOAL = 0.15;

const { socketDir, stop } = await startOwnPostgres('berth-bench-');

type Mode = 'at commit' | 'at once' | 'not linked';

/** How the trigger of the log works; as the administrator, who alone may. */
async function use(mode: Mode, database: string): Promise<void> {
  await asAdmin(socketDir, database, async (client) => {
    await client.query('drop trigger if exists audit_append on audit');
    if (mode === 'not linked') return;
    const timing = mode === 'at commit' ? 'deferrable initially deferred' : 'not deferrable';
    await client.query(
      `create constraint trigger audit_append after insert on audit ${timing} for each row execute function audit_append()`,
    );
  });
}

async function contend(db: Db, organizationId: OrganizationId): Promise<{ perSecond: number; p99Ms: number }> {
  const end = performance.now() + ROUND_MS;
  const times: number[] = [];
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (performance.now() < end) {
        const began = performance.now();
        await transact(db, async (trx) => {
          await record(trx, asSystem('bench'), { action: 'bench', targetKind: 'bench', target: 'x', organizationId });
          for (let n = 0; n < LATER_STATEMENTS; n++) await sql`select 1`.execute(trx);
        });
        times.push(performance.now() - began);
      }
    }),
  );
  return { perSecond: round((times.length * 1000) / ROUND_MS, 0), p99Ms: round(percentile(times, 0.99)) };
}

try {
  const database = await createDatabase(socketDir);
  const server = await startTestServer({ database, startWork: idleWork });
  const { owner, organization, project } = await server.setUp();
  const { db } = server.app;
  await sql`update quota set limit_instances = 100000, limit_servers = 100000, limit_cpus = 100000, limit_memory_bytes = 9e15, limit_disk_bytes = 9e15,
    limit_routes = 100000 where project_id = ${project}`.execute(db);
  const image = newName('image');
  await makeImage(db, { name: image });

  const create = async (): Promise<number> => {
    const began = performance.now();
    await owner.call(api.instancesCreate, {
      params: { project },
      body: { kind: 'server', name: newName('server'), image },
    });
    return performance.now() - began;
  };
  for (let n = 0; n < 20; n++) await create();
  const creates: Record<Mode, number[]> = { 'at commit': [], 'at once': [], 'not linked': [] };
  const writers: Record<Mode, { perSecond: number; p99Ms: number }[]> = {
    'at commit': [],
    'at once': [],
    'not linked': [],
  };
  for (let each = 0; each < ROUNDS; each++) {
    for (const mode of ['not linked', 'at commit', 'at once'] as const) {
      await use(mode, database.name);
      for (let n = 0; n < CREATES / ROUNDS; n++) creates[mode].push(await create());
      writers[mode].push(await contend(db, organization));
    }
  }
  await use('at commit', database.name);
  const alone = async (work: Parameters<typeof transact>[1]): Promise<number> => {
    const times: number[] = [];
    for (let n = 0; n < CREATES; n++) {
      const began = performance.now();
      await transact(db, work);
      times.push(performance.now() - began);
    }
    return median(times);
  };
  const entry = { action: 'bench', targetKind: 'bench', target: 'x', organizationId: organization };
  const touch = (trx: Trx) =>
    trx.updateTable('organization').set({ title: 'x' }).where('id', '=', organization).execute();
  const without = await alone(touch);
  const withEntry = await alone(async (trx) => {
    await touch(trx);
    await record(trx, asSystem('bench'), entry);
  });
  const createMs = median(creates['at commit']);
  const share = (withEntry - without) / createMs;
  const perSecond = (mode: Mode) => median(writers[mode].map((run) => run.perSecond));
  const p99Ms = (mode: Mode) => median(writers[mode].map((run) => run.p99Ms));
  print({
    name: 'audit',
    goal: `an entry with its link costs at most ${GOAL * 100} % of a create`,
    reached: share <= GOAL,
    figures: {
      share: round(share, 3),
      entryMs: round(withEntry - without, 2),
      createMs: round(createMs, 2),
      createNotLinkedMs: round(median(creates['not linked']), 2),
      writers: WRITERS,
      atCommitPerSecond: perSecond('at commit'),
      atCommitP99Ms: p99Ms('at commit'),
      atOncePerSecond: perSecond('at once'),
      atOnceP99Ms: p99Ms('at once'),
      notLinkedPerSecond: perSecond('not linked'),
      notLinkedP99Ms: p99Ms('not linked'),
    },
  });
  await server.stop();
} finally {
  await stop();
}
