import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BerthError } from '#domain/errors.ts';
import { type IdPrefix, makeId } from '#domain/ids.ts';
import { GIB } from '#domain/sizes.ts';
import { describeConformance } from '../conformance/suite.ts';
import { SimulatedDriver } from './driver.ts';
import { simulatedFingerprint } from './images.ts';

const id = <P extends IdPrefix>(prefix: P) => makeId(prefix, Date.now(), (bytes) => randomBytes(bytes));

describeConformance('simulated', async () => {
  const driver = new SimulatedDriver();
  let networks = 0;
  return {
    driver,
    image: simulatedFingerprint('server'),
    network: () => ({
      project: id('prj'),
      subnet4: `10.64.${networks}.0/24`,
      subnet6: `fd42:1:2:${(networks++).toString(16)}::/64`,
    }),
    id,
    write: async (instance, mark) => driver.behind.write(instance, mark),
    read: async (instance) => driver.behind.read(instance),
    killBehind: async (instance) => driver.behind.kill(instance),
    close: async () => undefined,
  };
});

const network = { project: id('prj'), subnet4: '10.64.1.0/24', subnet6: 'fd42:1:2:1::/64' };
const guest = () => ({
  instance: id('ins'),
  project: network.project,
  operation: id('opr'),
  kind: 'server' as const,
  hostname: 'a',
  imageFingerprint: simulatedFingerprint('server'),
  size: { cpus: 1, memoryBytes: GIB, diskBytes: 10 * GIB },
  address4: '10.64.1.10',
  address6: 'fd42:1:2:1::a',
});

describe('simulated driver faults', () => {
  it('fails the nth call of a verb, before or after the effect', async () => {
    const driver = new SimulatedDriver();
    await driver.ensureNetwork(network);
    driver.faults.fail({ verb: 'createGuest', nth: 2, when: 'after' });
    const first = guest();
    await driver.createGuest(first);
    const second = { ...guest(), address4: '10.64.1.11', address6: 'fd42:1:2:1::b' };
    await expect(driver.createGuest(second)).rejects.toMatchObject({ code: 'upstream_failed' });
    expect(await driver.observe(second.instance)).not.toBeNull();
    driver.faults.fail({ verb: 'power', error: new BerthError('timeout', 'too slow'), times: 2 });
    await expect(driver.power(first.instance, 'start', {})).rejects.toMatchObject({ code: 'timeout' });
    await expect(driver.power(first.instance, 'start', {})).rejects.toMatchObject({ code: 'timeout' });
    expect((await driver.power(first.instance, 'start', {})).state).toBe('running');
    expect(driver.faults.countOf('createGuest')).toBe(2);
  });

  it('keeps its state in a file over a lost process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-sim-'));
    try {
      const stateFile = join(folder, 'engine.json');
      const before = new SimulatedDriver({ stateFile });
      await before.ensureNetwork(network);
      const spec = guest();
      await before.createGuest(spec);
      await before.power(spec.instance, 'start', {});
      const after = new SimulatedDriver({ stateFile });
      expect(await after.observe(spec.instance)).toMatchObject({ state: 'running', address4: spec.address4 });
      expect((await after.images()).length).toBe(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
