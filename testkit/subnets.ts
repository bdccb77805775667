/** Address ranges for test installations that run side by side on one machine. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';

const FIRST = 128;
const COUNT = 96;

/** Held by an abstract socket: one process has it, and loses it when it ends, however it ends. */
async function hold(name: string): Promise<Server | null> {
  const server = createServer().unref();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen(`\0${name}`, () => resolve(server));
  });
}

/** A /16 out of 10.128.0.0/9 that nothing on this machine uses and no other test has: its second octet. */
export async function claimSubnet(): Promise<{ second: number; release: () => void }> {
  const start = randomInt(COUNT);
  for (let step = 0; step < COUNT; step++) {
    const second = FIRST + ((start + step) % COUNT);
    const held = await hold(`berth-test-10.${second}`);
    if (held === null) continue;
    const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    if (addresses.every(({ address }) => !address.startsWith(`10.${second}.`)))
      return { second, release: () => held.close() };
    held.close();
  }
  throw new Error('every 10.x network of tests is taken: something was left behind');
}
