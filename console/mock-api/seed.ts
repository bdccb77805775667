/** A believable installation to look at: every state appears once. `?scenario` names are chosen in plugin.ts. */
import { GIB } from '#domain/sizes.ts';
import { createSteps, DAY, finished, HOUR, MINUTE, makeInstance, makeOperation } from './make.ts';
import { seedBackups } from './seed-backups.ts';
import { seedIdentity } from './seed-identity.ts';
import { seedNetwork } from './seed-network.ts';
import type { MockState } from './state.ts';
import { emptyState, iso, newId } from './state.ts';

export function seed(): MockState {
  const state = emptyState();
  const now = Date.now();
  state.projects.push({
    id: newId('prj'),
    organization: state.organization.id,
    name: 'teaching',
    title: 'Teaching, autumn term',
    createdAt: iso(now - 12 * DAY),
  });
  state.hosts.push({
    id: newId('hst'),
    name: 'quay-1',
    state: 'online',
    lastSeenAt: iso(),
    error: null,
    engine: 'incus',
    engineVersion: '6.0.4',
    kernel: '6.1.0-41-amd64',
    os: 'Debian GNU/Linux 12 (bookworm)',
    cpus: 16,
    load1: 2.31,
    memoryBytes: 64 * GIB,
    memoryUsedBytes: 21.4 * GIB,
    poolDriver: 'btrfs',
    poolBytes: 900 * GIB,
    poolUsedBytes: 212 * GIB,
    uptimeSeconds: 1_220_400,
    missing: ['Bridge filtering (nft bridge family) is not available: port isolation is used instead.'],
    instances: { total: 9, running: 6 },
  });
  state.images.push(
    {
      id: newId('img'),
      name: 'server',
      kind: 'server',
      title: 'Debian server with Docker Engine',
      source: 'recipe',
      state: 'ready',
      fingerprint: '9c41d7be'.repeat(8),
      sizeBytes: 412 * 1024 ** 2,
      outdated: false,
      builtAt: iso(now - 3 * DAY),
      error: null,
      operation: null,
      instances: 4,
    },
    {
      id: newId('img'),
      name: 'desktop',
      kind: 'desktop',
      title: 'Debian desktop with Chromium and OpenClaw',
      source: 'recipe',
      state: 'ready',
      fingerprint: '4be1c07a'.repeat(8),
      sizeBytes: 1.34 * GIB,
      outdated: true,
      builtAt: iso(now - 6 * DAY),
      error: null,
      operation: null,
      instances: 5,
    },
    {
      id: newId('img'),
      name: 'trixie-slim',
      kind: 'server',
      title: 'Debian 13 without extras',
      source: 'server',
      state: 'building',
      fingerprint: null,
      sizeBytes: null,
      outdated: false,
      builtAt: null,
      error: null,
      operation: null,
      instances: 0,
    },
    {
      id: newId('img'),
      name: 'kiosk',
      kind: 'desktop',
      title: 'Single-page kiosk',
      source: 'file',
      state: 'failed',
      fingerprint: null,
      sizeBytes: null,
      outdated: false,
      builtAt: null,
      error: 'The archive has no rootfs: expected rootfs.tar or rootfs.squashfs at its top.',
      operation: null,
      instances: 0,
    },
  );
  const build = makeOperation(
    state,
    'image.build',
    'Build image trixie-slim',
    null,
    ['Fetch the packages', 'Unpack the base system', 'Configure', 'Pack the image', 'Publish it'],
    { target: 'trixie-slim', createdAt: iso(now - 50_000), actor: 'Berth', usualSeconds: 190 },
  );
  state.images[2]!.operation = { id: build.id, percent: 12, message: 'Fetch the packages' };

  const atlas = makeInstance(state, 'desktop', 'atlas', {
    description: 'Mara’s everyday desktop',
    protected: true,
    size: { cpus: 4, memoryBytes: 8 * GIB, diskBytes: 80 * GIB },
    createdAt: iso(now - 21 * DAY),
  });
  const beacon = makeInstance(state, 'server', 'beacon', {
    description: 'Status page and mail relay',
    createdAt: iso(now - 18 * DAY),
    startedAt: iso(now - 9 * DAY),
  });
  makeInstance(state, 'desktop', 'cove', {
    createdBy: 'Ines Duarte',
    createdAt: iso(now - 8 * DAY),
    usage: { memoryBytes: 1.9 * GIB, diskBytes: 6 * GIB, processes: 141 },
  });
  makeInstance(state, 'server', 'delta', {
    observed: 'stopped',
    desired: 'stopped',
    health: 'unknown',
    healthChecks: [],
    startedAt: null,
    usage: { memoryBytes: null, diskBytes: 3.1 * GIB, processes: null },
    createdAt: iso(now - 6 * DAY),
  });
  makeInstance(state, 'desktop', 'estuary', {
    observed: 'paused',
    desired: 'paused',
    health: 'unknown',
    createdBy: 'Tomasz Zieliński',
    createdAt: iso(now - 5 * DAY),
  });
  const fjord = makeInstance(state, 'server', 'fjord', { health: 'unhealthy', createdAt: iso(now - 2 * DAY) });
  fjord.healthChecks = [
    { name: 'systemd', state: 'degraded', message: 'degraded: 1 unit failed (docker.service)', optional: false },
    { name: 'sshd', state: 'unhealthy', message: 'No banner within 3 s on port 22', optional: false },
  ];
  makeInstance(state, 'server', 'gannet', {
    observed: 'stopped',
    desired: 'running',
    health: 'unknown',
    drift: 'It stopped by itself 4 minutes ago (guest shut down). Berth starts it again at the next check.',
    createdAt: iso(now - 30 * HOUR),
  });
  makeInstance(state, 'desktop', 'halyard', {
    createdAt: iso(now - 26 * HOUR),
    createdBy: 'Ines Duarte',
    healthChecks: [
      { name: 'rfb', state: 'healthy', message: 'Screen answers (RFB 3.8)', optional: false },
      { name: 'systemd', state: 'healthy', message: 'running', optional: false },
      { name: 'openclaw', state: 'degraded', message: 'Not ready: no model key', optional: true },
    ],
  });
  const islet = makeInstance(state, 'server', 'islet', {
    phase: 'archived',
    observed: 'stopped',
    desired: 'stopped',
    health: 'unknown',
    archivedAt: iso(now - 2 * DAY),
    purgeAt: iso(now + 5 * DAY),
    createdAt: iso(now - 11 * DAY),
    url: null,
  });
  state.routes = state.routes.filter((each) => each.instance !== islet.id);

  seedBackups(state, atlas);
  state.snapshots.push(
    {
      id: newId('snp'),
      instance: atlas.id,
      name: 'before the upgrade',
      state: 'ready',
      createdAt: iso(now - 26 * HOUR),
      createdBy: state.user.name,
    },
    {
      id: newId('snp'),
      instance: atlas.id,
      name: 'clean install',
      state: 'ready',
      createdAt: iso(now - 20 * DAY),
      createdBy: state.user.name,
    },
  );
  seedNetwork(state, beacon, now);
  finished(makeOperation(state, 'instance.create', 'Create atlas', atlas, createSteps), 21 * DAY, 14_200);
  finished(
    makeOperation(state, 'instance.resize', 'Resize atlas', atlas, [
      'Check the quota',
      'Change limits',
      'Look at the result',
    ]),
    5 * DAY,
    1_400,
  );
  finished(
    makeOperation(state, 'snapshot.create', 'Snapshot atlas', atlas, ['Take the snapshot', 'Record it']),
    26 * HOUR,
    620,
  );
  finished(
    makeOperation(state, 'instance.start', 'Start beacon', beacon, ['Start the guest', 'Wait until it is healthy']),
    9 * DAY,
    3_900,
  );
  const failed = makeOperation(
    state,
    'instance.restart',
    'Restart fjord',
    fjord,
    ['Stop the guest', 'Start the guest', 'Wait until it is healthy'],
    { createdAt: iso(now - 42 * MINUTE), usualSeconds: 5 },
  );
  finished(failed, 40 * MINUTE, 65_000);
  failed.state = 'failed';
  failed.error = {
    code: 'timeout',
    message:
      'It started, but no SSH banner came within 60 seconds. It was left running so that you can look inside with the terminal.',
  };
  Object.assign(failed.steps[2]!, { state: 'failed', attempts: 3, message: 'sshd: no banner within 3 s on port 22' });
  finished(
    makeOperation(state, 'instance.archive', 'Delete islet', islet, [
      'Stop the guest',
      'Withdraw its address',
      'Archive it',
    ]),
    2 * DAY,
    2_300,
  );
  state.operations.sort((a, b) => b.createdAt.localeCompare(a.createdAt));

  seedIdentity(state, now);
  return state;
}
