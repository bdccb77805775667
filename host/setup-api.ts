/** What `up` asks the API, over the server's own socket: is the owner there already, and the demo account. */
import { randomInt } from 'node:crypto';
import { socketRequest } from './health.ts';
import { type HostConfig, type Layout, originOf } from './layout.ts';
import { readSetupCode } from './secrets.ts';

/** True while the installation waits for its owner. */
export async function setupNeeded(layout: Layout, config: HostConfig): Promise<boolean> {
  const answer = await socketRequest({
    socket: layout.sockets.server,
    path: '/api/v1/setup',
    headers: { host: config.domain },
  });
  if (answer.status !== 200) throw new Error(`the API answers ${answer.status}: ${answer.body.slice(0, 300)}`);
  return (JSON.parse(answer.body) as { needed: boolean }).needed;
}

export type DemoAccount = { email: string; password: string };

const WORDS =
  'anchor beacon cable deck ebb fender galley harbor island jetty keel lantern mast north oar pier quay reef sail tide'.split(
    ' ',
  );

/** Creates the owner of a demo through the public API, as a person would with the set-up code. */
export async function createDemoOwner(layout: Layout, config: HostConfig): Promise<DemoAccount> {
  const words = Array.from({ length: 5 }, () => WORDS[randomInt(WORDS.length)]);
  const account = { email: 'demo@example.com', password: `${words.join('-')}-${randomInt(1000, 9999)}` };
  const answer = await socketRequest({
    socket: layout.sockets.server,
    method: 'POST',
    path: '/api/v1/setup',
    headers: {
      host: new URL(originOf(config.domain, config.ports.control)).host,
      origin: originOf(config.domain, config.ports.control),
    },
    body: { code: readSetupCode(layout), name: 'Demo', ...account },
    timeoutMs: 20_000,
  });
  if (answer.status !== 201)
    throw new Error(`the demo account was refused (${answer.status}): ${answer.body.slice(0, 300)}`);
  return account;
}
