/** For tests of workflows and reconcilers: short paces, and waiting for an operation to end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { api } from '#contract/api.ts';
import type { Operation } from '#contract/operations.ts';
import type { OperationId } from '#domain/ids.ts';
import type { TestClient } from './server.ts';

export { fastWork } from './paces.ts';

const POLL_MS = 15;

/** Polls until `check` is true. Errors: Error after `ms`. */
export async function until(check: () => Promise<boolean> | boolean, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it did not come true in time');
    await sleep(POLL_MS);
  }
}

/** The operation once it ended. */
export async function settled(client: TestClient, operation: OperationId, ms = 30_000): Promise<Operation> {
  let last: Operation | null = null;
  await until(async () => {
    last = await client.call(api.operationsGet, { params: { operation } });
    return last.finishedAt !== null;
  }, ms).catch((error: unknown) => {
    throw new Error(`operation ${operation} did not end: ${JSON.stringify(last)}`, { cause: error });
  });
  if (last === null) throw new Error('no operation');
  return last;
}
