/**
 * One replica leads: it alone runs the reconcilers that must not run twice. Leading is a session lock in PostgreSQL: it
 * ends with the connection, so a killed leader is replaced within a second and two can never lead.
 */
import type { Pool, PoolClient } from 'pg';

/** It names the lock; different from the locks of store/migrate.ts and store/organizations.ts. */
const LEADER_LOCK = 6_273_010;
const TRY_EVERY_MS = 1_000;

export type Leadership = { isLeader(): boolean; stop(): Promise<void> };

export function seekLeadership(
  pool: Pool,
  log: { info(fields: object, message: string): void },
  onChange: (leads: boolean) => void,
): Leadership {
  let client: PoolClient | null = null;
  let leads = false;
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;

  const lose = (): void => {
    if (client !== null) client.release(true);
    client = null;
    if (!leads) return;
    leads = false;
    log.info({}, 'no longer leading');
    onChange(false);
  };

  const attempt = async (): Promise<void> => {
    try {
      if (client === null) {
        client = await pool.connect();
        client.once('error', lose);
      }
      const sql = leads ? 'select true as locked' : 'select pg_try_advisory_lock($1) as locked';
      const { rows } = await client.query<{ locked: boolean }>(sql, leads ? [] : [LEADER_LOCK]);
      if (!leads && rows[0]?.locked === true && !stopped) {
        leads = true;
        log.info({}, 'leading');
        onChange(true);
      }
    } catch {
      lose();
    }
    if (!stopped) timer = setTimeout(() => void attempt(), TRY_EVERY_MS);
  };
  const first = attempt();

  return {
    isLeader: () => leads,
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await first;
      leads = false;
      client?.release(true);
      client = null;
    },
  };
}
