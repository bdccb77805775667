/** Edge alone, in the process of the test, on the database of a test server: does it know this caller (still)? */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEdge } from '#edge/edge.ts';
import type { TestClock } from './server.ts';

export type TestEdge = {
  /** Its sockets `edge.sock` and `bridge.sock` are in here. */
  folder: string;
  /** The status for a thumbnail of an instance that does not exist: 401 unknown caller, else 404. */
  statusFor(headers: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
};

/** `pool4`: where edge may believe that instances are. */
export async function startTestEdge(options: { edgeUrl: string; clock: TestClock; pool4?: string }): Promise<TestEdge> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-edge-'));
  const edge = await startEdge({
    config: {
      domain: 'berth.localhost',
      ports: { control: 9443, https: 443, http: 80 },
      consoleOrigin: 'https://berth.localhost:9443',
      socket: join(folder, 'edge.sock'),
      bridgeSocket: join(folder, 'bridge.sock'),
      database: { url: options.edgeUrl },
      snapshotDir: join(folder, 'state'),
      network: { pool4: options.pool4 ?? '10.64.0.0/12', prefix6: 'fd42:1:2' },
      agent: { socket: join(folder, 'no-agent.sock') },
    },
    edgeKey: randomBytes(32),
    agentToken: 'none',
    log: { info: () => {}, warn: () => {}, error: () => {} },
    now: () => options.clock.now().getTime(),
    random: () => randomBytes(24).toString('base64url'),
  });
  return {
    folder,
    statusFor(headers) {
      return new Promise((resolve, reject) => {
        const path = '/edge/v1/instances/ins_00000000000000000000000000/thumbnail';
        request({ socketPath: join(folder, 'edge.sock'), path, headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    },
    async stop() {
      await edge.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Throws unless `probe` comes true in time. */
export async function within(ms: number, what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
