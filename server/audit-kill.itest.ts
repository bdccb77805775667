/** kill -9 of a control plane while many write: every acknowledged change is in the log, and the chain has no gap. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { verifyAuditText } from '#testkit/audit.ts';
import { KillableInstallation, type KillableServer } from '#testkit/killable.ts';
import { withDatabase } from '#testkit/postgres.ts';

const WRITERS = 12;
const KILLS = 3;

let installation: KillableInstallation;
let server: KillableServer;

beforeAll(async () => {
  installation = new KillableInstallation((await withDatabase()).url);
  server = await installation.start();
  await installation.setUp(server);
});
afterAll(async () => {
  await server?.kill();
  installation?.remove();
});

it('I6: kill -9 in the middle of many changes loses no acknowledged entry and leaves no gap', {
  timeout: 180_000,
}, async () => {
  const { memberships } = await server.call(api.whoami);
  const organization = memberships[0]?.organization.id ?? '';
  const acknowledged: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    let alive = true;
    const current = server;
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 0; alive; n++) {
        const name = `round ${round} writer ${writer} change ${n}`;
        const answer = await current.raw('PATCH', '/api/v1/account', { name: name }).catch(() => ({ status: 0 }));
        if (answer.status === 200) acknowledged.push(name);
        // It is gone: without a pause this would keep the event loop from hearing so.
        else await sleep(20);
      }
    });
    await sleep(700 + round * 300);
    await current.kill();
    alive = false;
    await Promise.all(writers);
    server = await installation.start();
  }
  const text = (await server.raw('GET', `/api/v1/organizations/${organization}/audit/export`)).text;
  const report = verifyAuditText(text);
  expect(report.head?.position).toBe(report.last);
  expect(acknowledged.length).toBeGreaterThan(20);
  for (const name of acknowledged) expect(text).toContain(`"name":"${name}"`);
});
