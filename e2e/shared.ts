/** What the whole-system tests share: the running stack, its owner, instances by API, and the engine's own view. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { inject } from 'vitest';
import { api } from '#contract/api.ts';
import type { Instance } from '#contract/instances.ts';
import type { Operation } from '#contract/operations.ts';
import { isFinished } from '#domain/operations.ts';
import { type Client, until } from '#testkit/client.ts';
import { home, owner, RunningStack, run } from '#testkit/stack.ts';

export function sharedStack(): RunningStack {
  const { info, args, ports } = inject('stack');
  return new RunningStack(info, args, ports);
}

/** Signs the owner in; completes set-up first when nobody did. */
export async function ownerClient(
  stack: RunningStack,
): Promise<{ client: Client; project: string; organization: string }> {
  const client = stack.client();
  if ((await client.call(api.setupState)).needed)
    await client.call(api.setup, { body: { code: stack.info.setupCode, ...owner } });
  else await client.call(api.signIn, { body: { email: owner.email, password: owner.password } });
  return { client, ...(await home(client)) };
}

/** A page of the console with the owner signed in, at its home. */
export async function signInBrowser(browser: BrowserContext, stack: RunningStack): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(stack.info.consoleUrl);
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(/\/p\/[^/]+/);
  return page;
}

/** The installation's id, which everything it makes in the engine carries. */
export function installationOf(stack: RunningStack): string {
  const config = JSON.parse(readFileSync(join(stack.info.dataDir, 'config.json'), 'utf8')) as { installation: string };
  return config.installation;
}

export async function finished(client: Client, operation: string, timeoutMs = 300_000): Promise<Operation> {
  return until(
    `operation ${operation} finished`,
    async () => {
      const seen = await client.call(api.operationsGet, { params: { operation } });
      return isFinished(seen.state) ? seen : null;
    },
    { timeoutMs, everyMs: 300 },
  );
}

/** Creates an instance and waits until its operation ended well. */
export async function create(
  client: Client,
  project: string,
  kind: 'desktop' | 'server',
  name: string,
): Promise<Instance> {
  const accepted = await client.call(api.instancesCreate, { params: { project }, body: { kind, name } });
  const operation = await finished(client, accepted.operation.id);
  if (operation.state !== 'succeeded')
    throw new Error(`create ${name}: ${JSON.stringify(operation.error)} ${JSON.stringify(operation.steps)}`);
  return client.call(api.instancesGet, { params: { instance: accepted.instance?.id ?? '' } });
}

export async function purge(client: Client, instance: Instance): Promise<void> {
  const params = { instance: instance.id };
  if (instance.phase === 'ready')
    await finished(client, (await client.call(api.instancesArchive, { params })).operation.id);
  await finished(
    client,
    (await client.call(api.instancesPurge, { params, body: { confirmName: instance.name } })).operation.id,
  );
}

export type EngineGuest = { name: string; project: string; status: string; instance: string };

/** The engine's own list of guests of this installation, read past Berth. */
export async function engineGuests(installation: string): Promise<EngineGuest[]> {
  const result = await run('incus', ['list', '--all-projects', '--format', 'json'], { timeoutMs: 60_000 });
  if (result.code !== 0) throw new Error(result.stderr);
  const all = JSON.parse(result.stdout) as {
    name: string;
    project: string;
    status: string;
    config: Record<string, string>;
  }[];
  return all
    .filter((guest) => guest.config['user.berth.installation'] === installation)
    .map((guest) => ({
      name: guest.name,
      project: guest.project,
      status: guest.status,
      instance: guest.config['user.berth.id'] ?? '',
    }));
}

/**
 * Pid of one of the stack's processes, also of those that it found running (the engine) and of the one that starts the
 * others. Errors: when there is none.
 */
export async function pidOf(stack: RunningStack, name: string): Promise<number> {
  const known = (await stack.status()).processes.find((candidate) => candidate.name === name)?.pid ?? null;
  if (known !== null) return known;
  const is: Record<string, (argv: string[]) => boolean> = {
    incusd: (argv) => argv[0]?.endsWith('/incusd') === true && (argv[1] === undefined || argv[1].startsWith('--')),
    supervisor: (argv) =>
      argv.some((word) => word.endsWith('/supervisor-main.ts')) &&
      argv.some((word) => word.startsWith(`${stack.info.dataDir}/`) || word === stack.info.dataDir),
  };
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (
        is[name]?.(
          readFileSync(`/proc/${entry}/cmdline`, 'utf8')
            .split('\0')
            .filter((word) => word !== ''),
        ) === true
      )
        return Number(entry);
    } catch {
      // It ended while we looked.
    }
  }
  throw new Error(`${name} does not run`);
}
