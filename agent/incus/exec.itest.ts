/** Commands in a real guest of the real engine: what they said, how they ended, and that they end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { execCollect } from './exec.ts';

const HOW = { timeoutMs: 60_000, bytesMax: 10_000 };
/** At once. */
const WIDTH = 20;

let agent: TestAgent;
let target: { name: string; project: string };

const run = (argv: string[], how = HOW) => execCollect(agent.incus, target, argv, how);
const script = (text: string, how = HOW) => run(['sh', '-c', text], how);

beforeAll(async () => {
  agent = await startAgent();
  const guest = agent.spec(await agent.network(), 10, await agent.image());
  await agent.driver.createGuest(guest);
  await agent.driver.power(guest.instance, 'start', {});
  await agent.waitHealthy(guest);
  target = { name: guest.instance.replace('_', '-'), project: agent.names.project(guest.project) };
});
afterAll(async () => {
  await agent?.close();
});

describe('commands inside guests', () => {
  it.each([
    ['quick', 200, (n: number) => ['echo', `x${n}`]],
    // The engine looks once a second: this is when it may miss what is said.
    ['of a second', 120, (n: number) => ['sh', '-c', `sleep 1; echo x${n}`]],
  ] as const)('V2: many %s ones say all that they say', async (_name, count, argv) => {
    let next = 0;
    const said: string[] = [];
    const worker = async () => {
      while (next < count) {
        const n = next++;
        said[n] = (await run([...argv(n)])).stdout;
      }
    };
    await Promise.all(Array.from({ length: WIDTH }, worker));
    expect(said).toEqual(Array.from({ length: count }, (_, n) => `x${n}\n`));
  });

  it('V2: both outputs, the code and no input, as it is', async () => {
    expect(await script('cat; printf out; printf err >&2; exit 7')).toEqual({ code: 7, stdout: 'out', stderr: 'err' });
    expect(await run(['printf', '%s|', 'a b', '', "it's", '$HOME'])).toMatchObject({
      code: 0,
      stdout: "a b||it's|$HOME|",
    });
    expect((await run(['not-a-command'])).code).toBe(127);
    expect((await script('kill -9 $$')).code).toBe(137);
  });

  it('V2: what takes too long or says too much is killed', async () => {
    await expect(run(['sleep', '7101'], { ...HOW, timeoutMs: 500 })).rejects.toMatchObject({ code: 'timeout' });
    await expect(script('yes 7102')).rejects.toMatchObject({ code: 'too_large' });
    expect((await script('ps ax -o args= | grep "710[12]"')).stdout).toBe('');
  });

  it('V2: what a command leaves behind does not hold it', async () => {
    const begun = Date.now();
    expect(await script('sleep 30 & echo begun')).toMatchObject({ code: 0, stdout: 'begun\n' });
    expect(Date.now() - begun).toBeLessThan(25_000);
  });
});
