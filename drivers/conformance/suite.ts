/**
 * What every driver must do, whatever is behind it. A driver is done when this passes; the simulated twin and the agent
 * on a real engine run the same file.
 */
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  BackupId,
  BackupRepositoryId,
  InstanceId,
  OperationId,
  ProjectId,
  SecurityGroupId,
  SnapshotId,
} from '#domain/ids.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import type { DriverEvent, GuestSpec, InstanceDriver, NetworkSpec } from '../interface.ts';

export type ConformanceHarness = {
  driver: InstanceDriver;
  /** Fingerprint of an image that is there and allowed. */
  image: string;
  /** A network specification that is free. */
  network(): NetworkSpec;
  id(prefix: 'ins' | 'opr' | 'snp' | 'prj' | 'sgr' | 'cpy' | 'vlt'): string;
  /** Writes a mark on the guest's disk, reads it back. */
  write(instance: InstanceId, mark: number): Promise<void>;
  read(instance: InstanceId): Promise<number>;
  /** Stops the guest without the driver. */
  killBehind(instance: InstanceId): Promise<void>;
  close(): Promise<void>;
};

const EVENT_MS_MAX = 1_000;

export function describeConformance(name: string, open: () => Promise<ConformanceHarness>): void {
  describe(`driver conformance: ${name}`, () => {
    let harness: ConformanceHarness;
    let driver: InstanceDriver;
    let network: NetworkSpec;
    let hosts = 10;
    const instance = (): InstanceId => harness.id('ins') as InstanceId;
    const operation = (): OperationId => harness.id('opr') as OperationId;
    const snapshot = (): SnapshotId => harness.id('snp') as SnapshotId;
    const guest = (more: Partial<GuestSpec> = {}): GuestSpec => {
      const host = hosts++;
      return {
        instance: instance(),
        project: network.project,
        operation: operation(),
        kind: 'server',
        hostname: `guest-${host}`,
        imageFingerprint: harness.image,
        size: { cpus: 1, memoryBytes: 512 * MIB, diskBytes: 4 * GIB },
        address4: network.subnet4.replace('.0/24', `.${host}`),
        address6: network.subnet6.replace('::/64', `::${host.toString(16)}`),
        ...more,
      };
    };

    beforeAll(async () => {
      harness = await open();
      driver = harness.driver;
      network = harness.network();
      await driver.ensureNetwork(network);
    });
    afterAll(async () => harness?.close());

    it('describes its host', async () => {
      const facts = await driver.host();
      expect(facts.cpus).toBeGreaterThan(0);
      expect(facts.memoryBytes).toBeGreaterThan(GIB);
      expect(facts.poolBytes).toBeGreaterThan(facts.poolUsedBytes);
      expect(facts.engine).not.toBe('');
    });

    it('ensures a network twice and removes it twice', async () => {
      const other = harness.network();
      await driver.ensureNetwork(other);
      await driver.ensureNetwork(other);
      await driver.removeNetwork(other.project);
      await driver.removeNetwork(other.project);
    });

    it('leads ports of the host to guests: the whole list each time, twice is fine, gone with the guest', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      const { pool, busy } = (await driver.host()).forwards;
      expect(busy).toEqual([]);
      const hostPort = pool?.first ?? 0;
      const one = { protocol: 'udp', hostPort, instance: spec.instance, port: 53 } as const;
      const lost = { protocol: 'tcp', hostPort, instance: instance(), port: 53 } as const;
      for (let time = 0; time < 2; time++) {
        expect(await driver.setForwards([one, lost])).toEqual([
          { protocol: 'udp', hostPort, state: 'active' },
          { protocol: 'tcp', hostPort, state: 'absent' },
        ]);
      }
      await driver.destroyGuest(spec.instance);
      expect(await driver.setForwards([one])).toEqual([{ protocol: 'udp', hostPort, state: 'absent' }]);
      expect(await driver.setForwards([])).toEqual([]);
    });

    it('takes policies and security groups: the whole of it each time, also of guests that it does not have', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      const rule = {
        action: 'deny',
        direction: 'out',
        protocol: 'udp',
        ports: '53,100-200',
        ranges: ['2001:db8::/32', '203.0.113.0/24'],
        names: ['*.example.org', 'example.org'],
      } as const;
      const group = harness.id('sgr') as SecurityGroupId;
      const rules = [{ ...rule, ranges: [...rule.ranges], names: [...rule.names], sets: [], groups: [] }];
      // From guests, one of which is not there.
      const from = {
        ...rule,
        action: 'allow',
        direction: 'in',
        ranges: [],
        names: [],
        sets: [],
        groups: [group],
      } as const;
      for (let time = 0; time < 2; time++) {
        await driver.setPolicies({
          projects: [
            { project: network.project, default: 'deny', rules, connectionsMax: 100, bytesPerSecondMax: 1_000_000 },
          ],
          groups: [{ group, rules: [...rules, { ...from, ranges: [], names: [], sets: [], groups: [group] }] }],
          instances: [
            { instance: spec.instance, groups: [group] },
            { instance: instance(), groups: [group] },
          ],
        });
      }
      await driver.setPolicies({ projects: [], groups: [], instances: [] });
      await driver.destroyGuest(spec.instance);
    });

    it('says conflict when a network in use is removed', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await expect(driver.removeNetwork(spec.project)).rejects.toMatchObject({ code: 'conflict' });
      await driver.destroyGuest(spec.instance);
    });

    it('creates a stopped guest as specified; twice is once', async () => {
      const spec = guest();
      const made = await driver.createGuest(spec);
      expect(made).toMatchObject({
        instance: spec.instance,
        project: spec.project,
        state: 'stopped',
        hostname: spec.hostname,
        size: spec.size,
        imageFingerprint: spec.imageFingerprint,
        address4: spec.address4,
        address6: spec.address6,
      });
      const again = await driver.createGuest({ ...spec, operation: operation() });
      expect(again.createdAt).toBe(made.createdAt);
      expect((await driver.list()).filter((entry) => entry.instance === spec.instance)).toHaveLength(1);
      await driver.destroyGuest(spec.instance);
    });

    it('refuses an image that is not allowed, a project without network, an address that is taken', async () => {
      const spec = guest();
      await expect(driver.createGuest({ ...spec, imageFingerprint: 'f'.repeat(64) })).rejects.toMatchObject({
        code: 'invalid_input',
      });
      await expect(driver.createGuest({ ...spec, project: harness.id('prj') as ProjectId })).rejects.toMatchObject({
        code: 'conflict',
      });
      await driver.createGuest(spec);
      await expect(driver.createGuest({ ...guest(), address4: spec.address4 })).rejects.toMatchObject({
        code: 'conflict',
      });
      await driver.destroyGuest(spec.instance);
    });

    it('answers null or not_found for what does not exist', async () => {
      const nobody = instance();
      expect(await driver.observe(nobody)).toBeNull();
      await expect(driver.power(nobody, 'start', {})).rejects.toMatchObject({ code: 'not_found' });
      await expect(driver.resize(nobody, { cpus: 1, memoryBytes: GIB, diskBytes: 8 * GIB })).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(driver.health(nobody)).rejects.toMatchObject({ code: 'not_found' });
      await expect(driver.createSnapshot(nobody, snapshot(), operation())).rejects.toMatchObject({ code: 'not_found' });
      await driver.destroyGuest(nobody);
    });

    it('walks the power states; asking for what is so already is fine', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await expect(driver.power(spec.instance, 'pause', {})).rejects.toMatchObject({ code: 'state_conflict' });
      await expect(driver.power(spec.instance, 'resume', {})).rejects.toMatchObject({ code: 'state_conflict' });
      await expect(driver.power(spec.instance, 'restart', {})).rejects.toMatchObject({ code: 'state_conflict' });
      expect((await driver.power(spec.instance, 'start', {})).state).toBe('running');
      expect((await driver.power(spec.instance, 'start', {})).state).toBe('running');
      const running = await driver.observe(spec.instance);
      expect(running?.startedAt).not.toBeNull();
      expect(running?.uidCount).toBeGreaterThanOrEqual(65_536);
      expect((await driver.power(spec.instance, 'pause', {})).state).toBe('paused');
      expect((await driver.power(spec.instance, 'pause', {})).state).toBe('paused');
      await expect(driver.power(spec.instance, 'start', {})).rejects.toMatchObject({ code: 'state_conflict' });
      expect((await driver.power(spec.instance, 'resume', {})).state).toBe('running');
      expect((await driver.power(spec.instance, 'restart', { force: true })).state).toBe('running');
      await driver.power(spec.instance, 'pause', {});
      expect((await driver.power(spec.instance, 'stop', { force: true })).state).toBe('stopped');
      expect((await driver.power(spec.instance, 'stop', { force: true })).state).toBe('stopped');
      await driver.destroyGuest(spec.instance);
    });

    it('resizes while it runs', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await driver.power(spec.instance, 'start', {});
      const size = { cpus: 2, memoryBytes: GIB, diskBytes: 6 * GIB };
      const resized = await driver.resize(spec.instance, size);
      expect(resized).toMatchObject({ state: 'running', size });
      expect((await driver.resize(spec.instance, size)).size).toEqual(size);
      await driver.destroyGuest(spec.instance);
    });

    it('takes a snapshot once, rolls back to it keeping size and power state, and deletes it', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await driver.power(spec.instance, 'start', {});
      await harness.write(spec.instance, 1);
      const first = snapshot();
      await driver.createSnapshot(spec.instance, first, operation());
      await driver.createSnapshot(spec.instance, first, operation());
      expect((await driver.observe(spec.instance))?.snapshots.map((entry) => entry.snapshot)).toEqual([first]);
      await harness.write(spec.instance, 2);
      const size = { cpus: 2, memoryBytes: GIB, diskBytes: 6 * GIB };
      await driver.resize(spec.instance, size);
      await driver.restoreSnapshot(spec.instance, first);
      expect(await harness.read(spec.instance)).toBe(1);
      const after = await driver.observe(spec.instance);
      expect(after).toMatchObject({ state: 'running', size, address4: spec.address4 });
      await driver.deleteSnapshot(spec.instance, first);
      await driver.deleteSnapshot(spec.instance, first);
      expect((await driver.observe(spec.instance))?.snapshots).toEqual([]);
      await expect(driver.restoreSnapshot(spec.instance, first)).rejects.toMatchObject({ code: 'not_found' });
      await driver.destroyGuest(spec.instance);
    });

    it('clones a guest and a snapshot of it; twice is once', async () => {
      const source = guest();
      await driver.createGuest(source);
      await driver.power(source.instance, 'start', {});
      await harness.write(source.instance, 7);
      const mark = snapshot();
      await driver.createSnapshot(source.instance, mark, operation());
      await harness.write(source.instance, 8);
      const fromSnapshot = guest();
      const copy = await driver.cloneGuest({ instance: source.instance, snapshot: mark }, fromSnapshot);
      expect(copy).toMatchObject({
        instance: fromSnapshot.instance,
        state: 'stopped',
        hostname: fromSnapshot.hostname,
        address4: fromSnapshot.address4,
        snapshots: [],
      });
      const again = await driver.cloneGuest({ instance: source.instance, snapshot: mark }, fromSnapshot);
      expect(again.createdAt).toBe(copy.createdAt);
      await driver.power(fromSnapshot.instance, 'start', {});
      expect(await harness.read(fromSnapshot.instance)).toBe(7);
      await expect(driver.cloneGuest({ instance: instance(), snapshot: null }, guest())).rejects.toMatchObject({
        code: 'not_found',
      });
      await driver.destroyGuest(source.instance);
      await driver.destroyGuest(fromSnapshot.instance);
    });

    it('backs a guest up once, puts it back in place and makes another of it, which outlives it; deleting is fine twice', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await driver.power(spec.instance, 'start', {});
      await harness.write(spec.instance, 21);
      const ref = {
        repository: harness.id('vlt') as BackupRepositoryId,
        place: { type: 'local' },
        password: 'k'.repeat(43),
        backup: harness.id('cpy') as BackupId,
      } as const;
      const quiet = (): void => undefined;
      const made = await driver.backupGuest(spec.instance, ref, 4 * GIB, quiet);
      expect(made.dataBytes).toBeGreaterThan(0);
      const again = await driver.backupGuest(spec.instance, ref, 4 * GIB, quiet);
      expect(again.storedBytes).toBe(made.storedBytes);
      expect((await driver.observe(spec.instance))?.snapshots).toEqual([]);
      const { repository } = ref;
      expect(await driver.repositories()).toContainEqual({ repository, storedBytes: made.storedBytes });
      await harness.write(spec.instance, 22);
      await driver.power(spec.instance, 'stop', { force: true });
      await driver.restoreBackup(spec.instance, ref, quiet);
      await driver.power(spec.instance, 'start', {});
      expect(await harness.read(spec.instance)).toBe(21);
      expect(await driver.verifyRepository(ref, quiet)).toMatchObject({ problem: null });
      await driver.destroyGuest(spec.instance);
      const copy = guest();
      const seen = await driver.recoverGuest(copy, ref, quiet);
      expect(seen).toMatchObject({ instance: copy.instance, state: 'stopped', hostname: copy.hostname, snapshots: [] });
      expect((await driver.recoverGuest(copy, ref, quiet)).createdAt).toBe(seen.createdAt);
      await driver.power(copy.instance, 'start', {});
      expect(await harness.read(copy.instance)).toBe(21);
      await driver.power(copy.instance, 'stop', { force: true });
      expect(await driver.hasBackup(ref)).toBe(true);
      for (let time = 0; time < 2; time++) await driver.deleteBackup(ref, spec.instance);
      expect(await driver.hasBackup(ref)).toBe(false);
      await expect(driver.restoreBackup(copy.instance, ref, quiet)).rejects.toMatchObject({ code: 'not_found' });
      for (let time = 0; time < 2; time++) await driver.removeRepository(ref);
      expect((await driver.repositories()).map((each) => each.repository)).not.toContain(repository);
      await driver.destroyGuest(copy.instance);
    });

    it('moves a stopped guest to another project, with disk and snapshots; twice is once, and back', async () => {
      const spec = guest();
      const other = harness.network();
      await driver.ensureNetwork(other);
      await driver.createGuest(spec);
      await driver.power(spec.instance, 'start', {});
      await harness.write(spec.instance, 3);
      const taken = snapshot();
      await driver.createSnapshot(spec.instance, taken, operation());
      await harness.write(spec.instance, 4);
      const home = { project: spec.project, address4: spec.address4, address6: spec.address6 };
      const there = {
        project: other.project,
        address4: other.subnet4.replace('.0/24', '.77'),
        address6: other.subnet6.replace('::/64', '::4d'),
      };
      await expect(driver.moveGuest(spec.instance, there, operation())).rejects.toMatchObject({
        code: 'state_conflict',
      });
      // Where it is already, it may run.
      expect(await driver.moveGuest(spec.instance, home, operation())).toMatchObject({ state: 'running', ...home });
      await driver.power(spec.instance, 'stop', { force: true });
      const moved = await driver.moveGuest(spec.instance, there, operation());
      const same = { hostname: spec.hostname, size: spec.size, imageFingerprint: spec.imageFingerprint };
      expect(moved).toMatchObject({ instance: spec.instance, state: 'stopped', ...there, ...same });
      expect(moved.snapshots.map((entry) => entry.snapshot)).toEqual([taken]);
      expect((await driver.moveGuest(spec.instance, there, operation())).createdAt).toBe(moved.createdAt);
      expect((await driver.list()).filter((entry) => entry.instance === spec.instance)).toMatchObject([there]);
      const running = await driver.power(spec.instance, 'start', {});
      expect(running).toMatchObject({ state: 'running', ...there });
      expect(running.uidCount).toBeGreaterThanOrEqual(65_536);
      expect(await harness.read(spec.instance)).toBe(4);
      // What was taken before the move can be gone back to, and brings nothing of the old network with it.
      await driver.restoreSnapshot(spec.instance, taken);
      expect(await driver.observe(spec.instance)).toMatchObject({ state: 'running', ...there });
      expect(await harness.read(spec.instance)).toBe(3);
      await driver.power(spec.instance, 'stop', { force: true });
      expect(await driver.moveGuest(spec.instance, home, operation())).toMatchObject({ state: 'stopped', ...home });
      await driver.removeNetwork(other.project);
      await driver.destroyGuest(spec.instance);
    });

    it('refuses to move to a project without network, to an address that is taken, and what does not exist', async () => {
      const spec = guest();
      const neighbour = guest();
      await driver.createGuest(spec);
      await driver.createGuest(neighbour);
      const { address4, address6 } = neighbour;
      const nowhere = { project: harness.id('prj') as ProjectId, address4, address6 };
      await expect(driver.moveGuest(spec.instance, nowhere, operation())).rejects.toMatchObject({ code: 'conflict' });
      const taken = { project: spec.project, address4, address6: spec.address6 };
      await expect(driver.moveGuest(spec.instance, taken, operation())).rejects.toMatchObject({ code: 'conflict' });
      const free = guest();
      const place = { project: spec.project, address4: free.address4, address6: free.address6 };
      await expect(driver.moveGuest(instance(), place, operation())).rejects.toMatchObject({ code: 'not_found' });
      await driver.destroyGuest(spec.instance);
      await driver.destroyGuest(neighbour.instance);
    });

    it('renames', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await driver.setHostname(spec.instance, 'renamed');
      await driver.setHostname(spec.instance, 'renamed');
      expect((await driver.observe(spec.instance))?.hostname).toBe('renamed');
      await driver.destroyGuest(spec.instance);
    });

    it('says health unknown for what does not run', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      expect((await driver.health(spec.instance)).state).toBe('unknown');
      await driver.destroyGuest(spec.instance);
    });

    it('V2: the files of a guest, running or not: made, read, moved, changed, removed; links stay links', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      for (const state of ['stopped', 'running'] as const) {
        if (state === 'running') await driver.power(spec.instance, 'start', {});
        const files = await driver.files(spec.instance);
        const folder = `/root/${state}`;
        await files.makeFolder(folder, 0o755);
        await expect(files.look(`${folder}/none`)).rejects.toMatchObject({ code: 'not_found' });
        await expect(files.list(`${folder}/none`, 10)).rejects.toMatchObject({ code: 'not_found' });
        const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7) % 251));
        await files.writePart(`${folder}/ä b`, 0, bytes.subarray(0, 300_000));
        await files.writePart(`${folder}/ä b`, 300_000, bytes.subarray(300_000));
        await expect(files.writePart(`${folder}/ä b`, 0, bytes)).rejects.toMatchObject({ code: 'conflict' });
        expect(await buffer(files.read(`${folder}/ä b`))).toEqual(bytes);
        await files.setMode(`${folder}/ä b`, 0o640);
        await files.setOwner(`${folder}/ä b`, 1000, 1001);
        expect(await files.look(`${folder}/ä b`)).toMatchObject({
          name: 'ä b',
          type: 'file',
          sizeBytes: 700_000,
          uid: 1000,
          gid: 1001,
          mode: 0o640,
        });
        await files.makeFolder(`${folder}/below`, 0o700);
        await files.writePart(`${folder}/below/one`, 0, Buffer.from('1'));
        await expect(files.remove({ path: `${folder}/below`, type: 'folder' })).rejects.toMatchObject({
          code: 'conflict',
        });
        await expect(files.rename(`${folder}/ä b`, `${folder}/below/one`, false)).rejects.toMatchObject({
          code: 'conflict',
        });
        await files.rename(`${folder}/ä b`, `${folder}/below/one`, true);
        const { entries, complete } = await files.list(folder, 10);
        expect(entries.map((entry) => [entry.name, entry.type])).toEqual([['below', 'folder']]);
        expect(complete).toBe(true);
        expect((await files.list('/etc', 1)).complete).toBe(false);
        await files.remove({ path: `${folder}/below/one`, type: 'file' });
        await files.remove({ path: `${folder}/below`, type: 'folder' });
        expect((await files.list(folder, 10)).entries).toEqual([]);
        files.close();
      }
      await driver.destroyGuest(spec.instance);
      await expect(driver.files(spec.instance)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('destroys a running guest at once, and again', async () => {
      const spec = guest();
      await driver.createGuest(spec);
      await driver.power(spec.instance, 'start', {});
      await driver.destroyGuest(spec.instance);
      await driver.destroyGuest(spec.instance);
      expect(await driver.observe(spec.instance)).toBeNull();
    });

    it('says resync first and tells of changes within a second, also of those behind its back', async () => {
      const spec = guest();
      const events: DriverEvent[] = [];
      const abort = new AbortController();
      const watching = driver.watch((event) => events.push(event), abort.signal);
      const seen = async (match: (event: DriverEvent) => boolean): Promise<void> => {
        const until = Date.now() + EVENT_MS_MAX;
        while (!events.some(match)) {
          if (Date.now() > until) throw new Error(`no such event among ${JSON.stringify(events)}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      await seen((event) => event.type === 'resync');
      await driver.createGuest(spec);
      await seen((event) => event.type === 'instance' && event.instance === spec.instance);
      await driver.power(spec.instance, 'start', {});
      events.length = 0;
      await harness.killBehind(spec.instance);
      await seen((event) => event.type === 'instance' && event.instance === spec.instance);
      expect((await driver.observe(spec.instance))?.state).toBe('stopped');
      await driver.destroyGuest(spec.instance);
      abort.abort();
      await watching;
    });

    it('lists images and recipes', async () => {
      expect((await driver.images()).some((image) => image.fingerprint === harness.image)).toBe(true);
      expect((await driver.recipes()).map((recipe) => recipe.name).sort()).toEqual(
        expect.arrayContaining(['desktop', 'server']),
      );
    });

    it('starts nothing from an image that was taken off the list', async () => {
      await driver.allowImages([]);
      await expect(driver.createGuest(guest())).rejects.toMatchObject({ code: 'invalid_input' });
      await driver.allowImages([harness.image]);
    });
  });
}
