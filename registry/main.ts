/**
 * The image cache of one host, started by the agent as a user of its own: `node registry/main.ts`. Orders come as lines on
 * stdin, facts go out as lines on stdout; when stdin ends, it ends. Wiring only.
 */
import { createInterface } from 'node:readline';
import { type RegistryFacts, type RegistryOrder, registryOrderSchema } from '#contract/registry-process.ts';
import { Cache } from './cache.ts';

const TELL_MS = 2_000;

const log = (message: string): void => void process.stderr.write(`registry: ${message}\n`);

let cache: Cache | null = null;
let order: RegistryOrder | null = null;
let turn: Promise<void> = Promise.resolve();
let failed: string | null = null;

/** Everything but the addresses and the cap for emptying needs a new start. */
const startOf = ({ spec: { emptied: _emptied, ...spec }, listen: _listen, ...rest }: RegistryOrder): string =>
  JSON.stringify({ ...rest, spec });

async function follow(next: RegistryOrder): Promise<void> {
  const before = order;
  order = next;
  if (cache === null || before === null || startOf(before) !== startOf(next)) {
    await cache?.stop();
    cache = null;
    cache = await Cache.start(next, log);
  } else cache.listen(next.listen);
  if (before !== null && next.spec.emptied > before.spec.emptied) await cache.empty();
  failed = null;
}

let told = '';
function tell(): void {
  const facts: RegistryFacts | null = cache?.facts() ?? null;
  if (facts === null && failed === null) return;
  const line = JSON.stringify(facts ?? { failed: failed?.slice(0, 500) });
  if (line !== told) process.stdout.write(`${line}\n`);
  told = line;
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const next = registryOrderSchema.parse(JSON.parse(line));
    turn = turn
      .then(() => follow(next))
      .catch((error: unknown) => {
        failed = error instanceof Error ? error.message : String(error);
        log(failed);
      })
      .then(tell);
  })
  .on('close', () => void end());
setInterval(tell, TELL_MS);

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await turn.then(() => cache?.stop()).catch(() => undefined);
  process.exit(0);
}
process.on('SIGTERM', () => void end());
process.on('SIGINT', () => void end());
process.stdout.on('error', () => void end());
process.on('unhandledRejection', (error) => log(String(error)));
