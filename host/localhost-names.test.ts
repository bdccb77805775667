import { expect, it } from 'vitest';
import { must } from './run.ts';

it('resolves names below localhost to this machine, with and without `all`', async () => {
  const module = new URL('localhost-names.ts', import.meta.url).href;
  const script = `import dns from 'node:dns';
    dns.lookup('a.berth.localhost', { all: true }, (e, all) => dns.lookup('b.localhost', (e2, one, family) => console.log(JSON.stringify([e, all, e2, one, family]))));`;
  const out = await must([process.execPath, '--import', module, '--input-type=module', '-e', script]);
  expect(JSON.parse(out)).toEqual([null, [{ address: '127.0.0.1', family: 4 }], null, '127.0.0.1', 4]);
});
