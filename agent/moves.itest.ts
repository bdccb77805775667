/** A guest on its way to another project, when it is interrupted: however it stands, the same call brings it there, whole. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GuestPlace, GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { readyLabel } from './incus/guests.ts';
import type { IncusInstance } from './incus/types.ts';
import { guestName, label } from './names.ts';

let agent: TestAgent;
let here: NetworkSpec;
let there: NetworkSpec;
let guest: GuestSpec;
let to: GuestPlace;
let host = 20;

beforeAll(async () => {
  agent = await startAgent();
  here = await agent.network();
  there = await agent.network();
});
afterAll(async () => agent?.close());

beforeEach(async () => {
  host++;
  guest = agent.spec(here, host, await agent.image());
  const target = agent.spec(there, host, guest.imageFingerprint);
  to = { project: there.project, address4: target.address4, address6: target.address6 };
  await agent.driver.createGuest(guest);
  await agent.driver.createSnapshot(guest.instance, testId('snp'), testId('opr'));
});

const move = () => agent.driver.moveGuest(guest.instance, to, testId('opr'));
const name = () => guestName(guest.instance);
const projectOf = (network: NetworkSpec) => agent.names.project(network.project);

/** Engine projects that have the guest. */
async function places(): Promise<string[]> {
  const all = await agent.incus.call<IncusInstance[]>('GET', '/1.0/instances', {
    query: { recursion: 1, 'all-projects': 'true', filter: `name eq ${name()}` },
  });
  return all.map((each) => each.project);
}

/** The copy as a move makes it, left alone at once. */
async function copy(ready: 'true' | 'false'): Promise<void> {
  const { config, devices } = await agent.incus.call<IncusInstance>('GET', `/1.0/instances/${name()}`, {
    query: { project: projectOf(here) },
  });
  const own = Object.fromEntries(Object.entries(config).filter(([key]) => /^(limits|security|user)\./.test(key)));
  await agent.incus.operate('POST', '/1.0/instances', {
    query: { project: projectOf(there) },
    body: {
      name: name(),
      type: 'container',
      profiles: [],
      config: { ...own, [label.project]: there.project, [readyLabel]: ready },
      devices: {
        ...devices,
        eth0: {
          ...devices['eth0'],
          network: agent.names.bridge(there.project),
          'ipv4.address': to.address4,
          'ipv6.address': to.address6,
        },
      },
      source: { type: 'copy', source: name(), project: projectOf(here), instance_only: ready === 'false' },
    },
  });
}

async function arrived(): Promise<void> {
  expect(await agent.driver.observe(guest.instance)).toMatchObject({ state: 'stopped', ...to });
  expect((await agent.driver.observe(guest.instance))?.snapshots).toHaveLength(1);
  expect(await places()).toEqual([projectOf(there)]);
  await agent.driver.power(guest.instance, 'start', {});
  const inside = await agent.inside({ ...guest, project: there.project }, ['cat', '/etc/hostname']);
  expect(inside.stdout.trim()).toBe(guest.hostname);
  await agent.driver.destroyGuest(guest.instance);
}

describe('I4: a move that was interrupted', () => {
  it('I4: throws a half-made copy away and copies again; meanwhile the original counts', async () => {
    await copy('false');
    expect(await agent.driver.observe(guest.instance)).toMatchObject({ project: here.project });
    expect((await agent.driver.list()).filter((each) => each.instance === guest.instance)).toHaveLength(1);
    await move();
    await arrived();
  });

  it('I4: removes the original when the copy is whole', async () => {
    await copy('true');
    await move();
    await arrived();
  });

  it('I4: goes on when the original was being removed: what is left of it never counts again', async () => {
    await copy('true');
    await agent.incus.operate('PATCH', `/1.0/instances/${name()}`, {
      query: { project: projectOf(here) },
      body: { config: { [readyLabel]: 'false' } },
    });
    expect(await agent.driver.observe(guest.instance)).toMatchObject({ project: there.project });
    // Even on the way back: the whole one is copied, the remains are not taken for it.
    const back = { project: here.project, address4: guest.address4, address6: guest.address6 };
    expect(await agent.driver.moveGuest(guest.instance, back, testId('opr'))).toMatchObject(back);
    expect(await places()).toEqual([projectOf(here)]);
    await move();
    await arrived();
  });
});

describe('I4: what belongs to somebody else', () => {
  it('A4: a guest without our labels in the other project is neither moved over nor removed', async () => {
    await agent.incus.operate('POST', '/1.0/instances', {
      query: { project: projectOf(there) },
      body: {
        name: name(),
        type: 'container',
        profiles: [],
        config: { 'security.idmap.isolated': 'true' },
        devices: { root: { type: 'disk', path: '/', pool: `bth-${agent.installation}` } },
        source: { type: 'none' },
      },
    });
    await expect(move()).rejects.toMatchObject({ code: expect.stringMatching(/conflict|upstream_failed/) });
    expect((await places()).sort()).toEqual([projectOf(here), projectOf(there)].sort());
    expect(await agent.driver.observe(guest.instance)).toMatchObject({ project: here.project });
    await agent.incus.operate('DELETE', `/1.0/instances/${name()}`, { query: { project: projectOf(there) } });
    await agent.driver.destroyGuest(guest.instance);
  });

  it('A4: one that came back with the network of another project does not start until it is put right', async () => {
    await agent.incus.operate('PATCH', `/1.0/instances/${name()}`, {
      query: { project: projectOf(here) },
      body: { config: { [label.project]: there.project } },
    });
    await expect(agent.driver.power(guest.instance, 'start', {})).rejects.toMatchObject({ code: 'state_conflict' });
    const home = { project: here.project, address4: guest.address4, address6: guest.address6 };
    await agent.driver.moveGuest(guest.instance, home, testId('opr'));
    expect(await agent.driver.power(guest.instance, 'start', {})).toMatchObject({ state: 'running', ...home });
    await agent.driver.destroyGuest(guest.instance);
  });
});

describe('I4: the agent dies', () => {
  it('I4: survives kill -9 of the agent at any moment', async () => {
    for (const ms of [60, 200]) {
      const moving = move().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, ms));
      await agent.kill();
      await moving;
      await agent.start();
      await agent.driver.ensureNetwork(here);
      await agent.driver.ensureNetwork(there);
      const deadline = Date.now() + 60_000;
      for (;;) {
        // As the workflow does: what is still busy at the engine is tried again.
        const done = await move().then(
          () => true,
          () => false,
        );
        if (done || Date.now() > deadline) break;
      }
      expect(await places()).toEqual([projectOf(there)]);
      const back = { project: here.project, address4: guest.address4, address6: guest.address6 };
      expect(await agent.driver.moveGuest(guest.instance, back, testId('opr'))).toMatchObject(back);
    }
    await move();
    await arrived();
  });
});
