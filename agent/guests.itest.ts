/** Guests as their people see them from inside: identity of copies, names, sizes; and what stops them from starting. */
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GIB, MIB } from '#domain/sizes.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';

let agent: TestAgent;
let network: NetworkSpec;
let image: string;
let source: GuestSpec;

const inside = async (guest: GuestSpec, script: string): Promise<string> => {
  const { code, stdout, stderr } = await agent.inside(guest, ['sh', '-c', script], 60_000);
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
};

beforeAll(async () => {
  agent = await startAgent();
  image = await agent.image();
  network = await agent.network();
  source = agent.spec(network, 10, image);
  await agent.driver.createGuest(source);
  await agent.driver.power(source.instance, 'start', {});
  await agent.waitHealthy(source);
});
afterAll(async () => agent?.close());

describe('D1: a guest', () => {
  it('has its name, also over a restart', async () => {
    expect(await inside(source, 'hostname; cat /etc/hostname; getent hosts guest-10')).toMatch(
      /^guest-10\nguest-10\n127\.0\.1\.1\s+guest-10/,
    );
    await agent.driver.setHostname(source.instance, 'renamed');
    expect(await inside(source, 'hostname; cat /etc/hostname')).toBe('renamed\nrenamed');
    await agent.driver.power(source.instance, 'restart', {});
    await agent.waitHealthy(source);
    expect(await inside(source, 'hostname')).toBe('renamed');
  });

  it('sees a new size while it runs', async () => {
    await agent.driver.resize(source.instance, { cpus: 2, memoryBytes: GIB, diskBytes: 6 * GIB });
    expect(await inside(source, 'free -m | sed -n 2p | tr -s " " | cut -d" " -f2')).toBe('1024');
    expect(await inside(source, 'nproc')).toBe('2');
    await expect(
      agent.driver.resize(source.instance, { cpus: 2, memoryBytes: GIB, diskBytes: 4 * GIB }),
    ).resolves.toMatchObject({ size: { diskBytes: 4 * GIB } });
  });

  it('V1: takes no memory away that it holds: nothing in it is killed for a resize', async () => {
    await agent.driver.resize(source.instance, { cpus: 1, memoryBytes: GIB, diskBytes: 4 * GIB });
    await inside(
      source,
      'mkdir -p /mnt/held; mount -t tmpfs -o size=700m none /mnt/held; head -c 600M /dev/zero > /mnt/held/x',
    );
    await expect(
      agent.driver.resize(source.instance, { cpus: 1, memoryBytes: 512 * MIB, diskBytes: 4 * GIB }),
    ).rejects.toMatchObject({ code: 'state_conflict', message: expect.stringMatching(/holds 0\.\d GiB/) });
    expect(await inside(source, 'stat -c %s /mnt/held/x')).toBe(String(600 * MIB));
    await inside(source, 'umount /mnt/held');
  });

  it('does not lose what is on its disk to a smaller one', async () => {
    await agent.driver.resize(source.instance, { cpus: 1, memoryBytes: 512 * MIB, diskBytes: 8 * GIB });
    await inside(source, 'fallocate -l 4600M /root/big; sync');
    await expect(
      agent.driver.resize(source.instance, { cpus: 1, memoryBytes: 512 * MIB, diskBytes: 4 * GIB }),
    ).rejects.toMatchObject({ code: 'unsupported' });
    await inside(source, 'rm /root/big; sync');
  });
});

describe('D5: a copy', () => {
  it('is a person of its own: machine id, SSH host keys, screen password, MAC, uid range, addresses, name', async () => {
    const copy = agent.spec(network, 11, image);
    await agent.driver.cloneGuest({ instance: source.instance, snapshot: null }, copy);
    await agent.driver.power(copy.instance, 'start', {});
    await agent.waitHealthy(copy);
    const identity =
      'cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /etc/berth/vnc-password /sys/class/net/eth0/address; echo; hostname';
    const [one, two] = [(await inside(source, identity)).split('\n'), (await inside(copy, identity)).split('\n')];
    expect(one.length).toBe(two.length);
    for (const [index, line] of one.entries()) if (line !== '') expect(two[index]).not.toBe(line);
    const [a, b] = [await agent.driver.observe(source.instance), await agent.driver.observe(copy.instance)];
    expect(a?.uidBase).not.toBe(b?.uidBase);
    expect(await inside(copy, 'ip -o -4 addr show dev eth0')).toContain(`${copy.address4}/24`);
    await agent.driver.destroyGuest(copy.instance);
  });

  it('that was interrupted never starts with the identity of its source, and is finished by the next try', async () => {
    const copy = agent.spec(network, 12, image);
    const cloning = agent.driver.cloneGuest({ instance: source.instance, snapshot: null }, copy).then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
    // The copy exists at the engine, its identity is still the source's: now the agent dies.
    const limit = Date.now() + 20_000;
    const path = `/1.0/instances/${copy.instance.replace('_', '-')}`;
    const query = { project: agent.names.project(copy.project) };
    while (
      !(await agent.incus.call('GET', path, { query }).then(
        () => true,
        () => false,
      ))
    )
      if (Date.now() > limit) throw new Error('no copy');
    await agent.kill();
    expect(['unavailable', 'done']).toContain(await cloning);
    await agent.start();
    const started = await agent.driver.power(copy.instance, 'start', {}).then(
      () => 'started',
      (error: { code: string }) => error.code,
    );
    // Either the agent had finished it just before, or it refuses.
    if (started !== 'started') expect(['state_conflict', 'conflict', 'upstream_failed']).toContain(started);
    await agent.driver.cloneGuest({ instance: source.instance, snapshot: null }, copy);
    await agent.driver.power(copy.instance, 'start', {});
    await agent.waitHealthy(copy);
    expect(await inside(copy, 'cat /etc/machine-id')).not.toBe(await inside(source, 'cat /etc/machine-id'));
    await agent.driver.destroyGuest(copy.instance);
  });
});

describe('A4: nothing starts unprotected', () => {
  it('a network whose rules cannot be brought back', async () => {
    const other = await agent.network();
    const guest = agent.spec(other, 10, image);
    await agent.driver.createGuest(guest);
    // Somebody takes the rules' label away: the agent may neither trust nor repair them.
    const path = `/1.0/network-acls/${agent.names.acl(other.project)}`;
    const before = await agent.incus.call<{ config: Record<string, string>; egress: object[]; ingress: object[] }>(
      'GET',
      path,
    );
    const put = (config: Record<string, string>) =>
      agent.incus.call('PUT', path, {
        query: { project: 'default' },
        body: { description: '', config, egress: before.egress, ingress: before.ingress },
      });
    await put({});
    const limit = Date.now() + 20_000;
    for (;;) {
      const answer = await agent.driver.power(guest.instance, 'start', {}).then(
        () => null,
        (error: { code: string }) => error.code,
      );
      if (answer === 'unavailable') break;
      if (Date.now() > limit) throw new Error('it starts unprotected guests');
      await agent.driver.power(guest.instance, 'stop', { force: true });
    }
    await put(before.config);
    await agent.driver.power(guest.instance, 'start', {});
    await agent.driver.destroyGuest(guest.instance);
  });
});

describe('A5: images', () => {
  const as = { name: 'imported', kind: 'server' as const, description: 'x' };
  it('come from plain files of the import folder only', async () => {
    const folder = join(agent.folder, 'import');
    writeFileSync(join(agent.folder, 'outside.tar'), 'x');
    symlinkSync('/etc/shadow', join(folder, 'link.tar'));
    mkdirSync(join(folder, 'folder.tar'));
    for (const path of ['../outside.tar', '/etc/shadow', 'a/b.tar', '..', '.', '', 'x\0.tar', '-x']) {
      await expect(agent.driver.importImage({ type: 'file', path }, as), path).rejects.toMatchObject({
        code: 'invalid_input',
      });
    }
    await expect(agent.driver.importImage({ type: 'file', path: 'link.tar' }, as)).rejects.toMatchObject({
      code: 'unsupported',
    });
    await expect(agent.driver.importImage({ type: 'file', path: 'folder.tar' }, as)).rejects.toMatchObject({
      code: 'unsupported',
    });
    await expect(agent.driver.importImage({ type: 'file', path: 'nothing.tar' }, as)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('that are no images are refused, and leave nothing behind', async () => {
    const before = await agent.driver.images();
    writeFileSync(join(agent.folder, 'import', 'garbage.tar'), Buffer.alloc(10_240, 1));
    await expect(agent.driver.importImage({ type: 'file', path: 'garbage.tar' }, as)).rejects.toMatchObject({
      code: 'upstream_failed',
    });
    expect(await agent.driver.images()).toEqual(before);
  });

  it('from a server need https and a plain alias', async () => {
    for (const url of ['http://images.example', 'file:///etc', 'https://', 'ftp://x']) {
      const source = { type: 'server' as const, url, protocol: 'simplestreams' as const, alias: 'debian/12' };
      await expect(agent.driver.importImage(source, as), url).rejects.toMatchObject({ code: 'invalid_input' });
    }
  });

  it('imported again are adopted; an image in use can be let go without touching its guests', async () => {
    linkSync(join(agent.folder, 'import', 'test-server.tar'), join(agent.folder, 'import', 'again.tar'));
    const again = await agent.driver.importImage({ type: 'file', path: 'again.tar' }, as);
    expect(again.fingerprint).toBe(image);
    expect((await agent.driver.images()).map((entry) => entry.name)).toEqual(['imported']);
    await agent.driver.deleteImage(image);
    expect(await agent.driver.images()).toEqual([]);
    await expect(agent.driver.deleteImage(image)).rejects.toMatchObject({ code: 'not_found' });
    expect((await agent.driver.observe(source.instance))?.state).toBe('running');
    await expect(
      agent.driver.createGuest({ ...agent.spec(network, 30, image), operation: testId('opr') }),
    ).rejects.toThrow();
  });
});
