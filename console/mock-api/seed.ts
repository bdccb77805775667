/** A believable installation to look at: every state appears once. `?scenario` names are chosen in plugin.ts. */
import type { Operation } from '#contract/operations.ts';
import { forwardProblem } from '#domain/forwards.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { parseRules } from '#domain/network-rules.ts';
import { GIB } from '#domain/sizes.ts';
import { makeDomain, plainRoute, seenCertificate } from './handlers-domains.ts';
import { someSshKeys, someSshSessions } from './handlers-ssh.ts';
import { someSshRecordings } from './handlers-ssh-recordings.ts';
import type { InstanceRow, MockState } from './state.ts';
import { DOMAIN, emptyState, iso, newId } from './state.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function makeInstance(
  state: MockState,
  kind: InstanceKind,
  name: string,
  more: Partial<InstanceRow> = {},
): InstanceRow {
  const number = 10 + state.instances.length;
  const createdAt = more.createdAt ?? iso(Date.now() - 3 * DAY);
  const size =
    more.size ??
    (kind === 'desktop'
      ? { cpus: 2, memoryBytes: 2 * GIB, diskBytes: 20 * GIB }
      : { cpus: 1, memoryBytes: 1 * GIB, diskBytes: 10 * GIB });
  const row: InstanceRow = {
    id: newId('ins', Date.parse(createdAt)),
    project: state.projects[0]!.id,
    kind,
    name,
    description: '',
    phase: 'ready',
    desired: 'running',
    observed: 'running',
    observedAt: iso(),
    health: 'healthy',
    healthChecks:
      kind === 'desktop'
        ? [
            { name: 'rfb', state: 'healthy', message: 'Screen answers (RFB 3.8)', optional: false },
            { name: 'systemd', state: 'healthy', message: 'running', optional: false },
            { name: 'openclaw', state: 'healthy', message: 'Ready', optional: true },
          ]
        : [
            { name: 'systemd', state: 'healthy', message: 'running', optional: false },
            { name: 'sshd', state: 'healthy', message: 'SSH-2.0-OpenSSH_9.2p1 Debian', optional: false },
          ],
    drift: null,
    size,
    usage: {
      memoryBytes: Math.round(size.memoryBytes * 0.37),
      diskBytes: Math.round(size.diskBytes * 0.21),
      processes: 84,
    },
    image: { name: kind, fingerprint: `${'4be1c07a99d2'.repeat(5)}f3a1` },
    url: `https://${name}.${DOMAIN}`,
    address4: `10.64.0.${number}`,
    address6: `fd42:7a10:93c4:1::${number.toString(16)}`,
    host: state.hosts[0] === undefined ? null : { id: state.hosts[0].id, name: state.hosts[0].name },
    protected: false,
    createdBy: state.user.name,
    createdAt,
    startedAt: iso(Date.now() - 5 * HOUR),
    archivedAt: null,
    purgeAt: null,
    operation: null,
    version: 1,
    ...more,
  };
  state.instances.push(row);
  state.routes.push({
    id: newId('rte'),
    project: row.project,
    instance: row.id,
    instanceName: name,
    hostname: `${name}.${DOMAIN}`,
    ...plainRoute,
    target: kind === 'desktop' ? 'screen' : 'port',
    port: kind === 'desktop' ? null : 80,
    visibility: 'private',
    primary: true,
    url: `https://${name}.${DOMAIN}`,
    createdAt,
  });
  return row;
}

export function makeOperation(
  state: MockState,
  kind: Operation['kind'],
  title: string,
  row: InstanceRow | null,
  steps: readonly string[],
  more: Partial<Operation> = {},
): Operation {
  const createdAt = more.createdAt ?? iso();
  const operation: Operation = {
    id: newId('opr', Date.parse(createdAt)),
    kind,
    title,
    state: 'pending',
    project: row?.project ?? null,
    instance: row?.id ?? null,
    target: row?.name ?? more.target ?? '',
    actor: state.user.name,
    createdAt,
    startedAt: null,
    finishedAt: null,
    steps: steps.map((each) => ({
      name: each.toLowerCase().replace(/[^a-z]+/g, '-'),
      title: each,
      state: 'pending',
      startedAt: null,
      finishedAt: null,
      attempts: 0,
      percent: null,
      message: null,
    })),
    error: null,
    usualSeconds: null,
    ...more,
  };
  state.operations.unshift(operation);
  return operation;
}

export const createSteps = [
  'Reserve name and quota',
  'Wait for the image',
  'Prepare the network',
  'Make the guest',
  'Publish its address',
  'Start it',
  'Wait until it is healthy',
] as const;

/** Marks all steps as done, one after another ending `agoMs` ago, taking `tookMs` together. */
function finished(operation: Operation, agoMs: number, tookMs: number): void {
  const start = Date.now() - agoMs - tookMs;
  const share = tookMs / operation.steps.length;
  operation.state = 'succeeded';
  operation.createdAt = operation.startedAt = iso(start);
  operation.finishedAt = iso(start + tookMs);
  operation.usualSeconds = Math.round(tookMs / 1000);
  operation.steps.forEach((step, index) => {
    Object.assign(step, {
      state: 'succeeded',
      attempts: 1,
      startedAt: iso(start + share * index),
      finishedAt: iso(start + share * (index + 1)),
    });
  });
}

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
  const { rules } = parseRules(
    'allow in tcp 22 from 203.0.113.0/24, 2001:db8::/32\nallow in tcp 80,443\ndeny out udp to 198.51.100.7',
  );
  state.securityGroups.push({
    id: newId('sgr'),
    project: beacon.project,
    name: 'web',
    description: 'Web for everybody, SSH for the office',
    rules,
    instances: [{ id: beacon.id, name: beacon.name }],
    state: 'applied',
    createdAt: iso(now - 8 * DAY),
    can: { update: true, delete: true },
  });
  state.egress = {
    ...state.egress,
    rules: parseRules('deny out tcp 6667').rules,
    connectionsMax: 4000,
    bytesPerSecondMax: 12_500_000,
  };
  const checked = { checkedAt: iso(now - 2 * MINUTE) };
  const harbour = makeDomain(beacon.project, 'harbour.example', {
    ...checked,
    state: 'verified',
    proof: 'txt',
    pointsHere: true,
    verifiedAt: iso(now - 8 * DAY),
    expiresAt: null,
  });
  const pending = makeDomain(beacon.project, 'shop.quay.example', {
    ...checked,
    pointsHere: false,
    reason: 'There is no TXT record at _berth-challenge.shop.quay.example.',
  });
  state.domains.push(harbour, pending);
  for (const [protocol, hostPort, port, description, forwardState] of [
    ['tcp', 20_000, 25_565, 'Game server', 'active'],
    ['udp', 20_001, 51_820, 'WireGuard', 'active'],
    ['tcp', 20_002, 5432, 'Reporting, until Friday', 'taken'],
  ] as const)
    state.forwards.push({
      id: newId('fwd'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      protocol,
      hostPort,
      port,
      description,
      address: `${DOMAIN}:${hostPort}`,
      state: forwardState,
      problem: forwardProblem(forwardState),
      createdAt: iso(now - 3 * DAY),
      can: { update: true, delete: true },
    });
  state.routes.push(
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: 'www.harbour.example',
      ...plainRoute,
      path: '/admin',
      target: 'port',
      port: 9000,
      visibility: 'public',
      primary: false,
      domain: harbour.id,
      certificate: seenCertificate(71),
      rules: { ...plainRoute.rules, allow: ['192.0.2.0/24'], basicAuth: { user: 'team' } },
      url: 'https://www.harbour.example/admin',
      createdAt: iso(now - 2 * DAY),
    },
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: `status.${DOMAIN}`,
      ...plainRoute,
      target: 'port',
      port: 3000,
      visibility: 'public',
      primary: false,
      url: `https://status.${DOMAIN}`,
      createdAt: iso(now - 9 * DAY),
    },
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: `grafana.${DOMAIN}`,
      ...plainRoute,
      target: 'port',
      port: 3001,
      visibility: 'private',
      primary: false,
      url: `https://grafana.${DOMAIN}`,
      createdAt: iso(now - 4 * DAY),
    },
  );

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

  const people = [
    ['Ines Duarte', 'ines@harbour.example', 'admin', 30],
    ['Tomasz Zieliński', 'tomasz@harbour.example', 'member', 12],
    ['Ayo Balogun', 'ayo@harbour.example', 'viewer', 3],
  ] as const;
  for (const [name, email, role, days] of people)
    state.members.push({ user: { id: newId('usr'), email, name }, role, joinedAt: iso(now - days * DAY) });
  state.invitations.push({
    id: newId('inv'),
    email: 'lena@partner.example',
    role: 'member',
    invitedBy: state.user.name,
    createdAt: iso(now - 5 * HOUR),
    expiresAt: iso(now + 6.8 * DAY),
    acceptedAt: null,
    secret: 'demo-invitation-secret-0001',
  });
  state.sshKeys.push(...someSshKeys(now));
  state.sshSessions.push(...someSshSessions(state, now));
  state.sshRecording = someSshRecordings(state, now);
  state.tokens.push(
    {
      id: newId('tok'),
      name: 'laptop',
      scopes: ['*.read'],
      prefix: 'berth_9fK2',
      createdAt: iso(now - 20 * DAY),
      expiresAt: iso(now + 70 * DAY),
      lastUsedAt: iso(now - 2 * HOUR),
      lastUsedAddress: '192.0.2.17',
    },
    {
      id: newId('tok'),
      name: 'backup job',
      scopes: null,
      prefix: 'berth_Qx7A',
      createdAt: iso(now - 80 * DAY),
      expiresAt: iso(now + 6 * DAY),
      lastUsedAt: null,
      lastUsedAddress: null,
    },
  );
  state.sessions.push(
    {
      id: newId('ses'),
      createdAt: iso(now - 2 * HOUR),
      lastSeenAt: iso(now),
      expiresAt: iso(now + 6 * HOUR),
      address: '192.0.2.17',
      kind: 'browser',
      device: 'Chrome on Linux',
      scopes: null,
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36',
      current: true,
    },
    {
      id: newId('ses'),
      createdAt: iso(now - 7 * HOUR),
      lastSeenAt: iso(now - 3 * HOUR),
      expiresAt: iso(now + HOUR),
      address: '198.51.100.4',
      kind: 'browser',
      device: 'Safari on iOS',
      scopes: null,
      userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) AppleWebKit/605 Version/19 Mobile Safari/604',
      current: false,
    },
    {
      id: newId('ses'),
      createdAt: iso(now - 9 * DAY),
      lastSeenAt: iso(now - 12 * MINUTE),
      expiresAt: iso(now + 81 * DAY),
      address: '192.0.2.17',
      kind: 'client',
      device: 'berth on workbench',
      scopes: ['instance.*', 'snapshot.read'],
      userAgent: 'berth-cli/0.1.0 (linux; workbench)',
      current: false,
    },
  );
  const log: [number, string, string, string, 'ok' | 'refused' | 'failed', string][] = [
    [4 * MINUTE, 'Berth', 'instance.drift', 'gannet', 'ok', 'system'],
    [41 * MINUTE, 'mara@harbour.example', 'instance.restart', 'fjord', 'failed', 'user'],
    [2 * HOUR, 'mara@harbour.example', 'session.create', 'mara@harbour.example', 'ok', 'user'],
    [3 * HOUR, 'ayo@harbour.example', 'instance.stop', 'atlas', 'refused', 'user'],
    [5 * HOUR, 'mara@harbour.example', 'member.invite', 'lena@partner.example', 'ok', 'user'],
    [26 * HOUR, 'ines@harbour.example', 'instance.create', 'halyard', 'ok', 'token'],
    [26.2 * HOUR, 'mara@harbour.example', 'snapshot.create', 'atlas', 'ok', 'user'],
    [2 * DAY, 'mara@harbour.example', 'instance.archive', 'islet', 'ok', 'user'],
    [4 * DAY, 'ines@harbour.example', 'route.create', `grafana.${DOMAIN}`, 'ok', 'user'],
    [5 * DAY, 'mara@harbour.example', 'instance.resize', 'atlas', 'ok', 'user'],
  ];
  for (const [index, [ago, actor, action, target, result, actorKind]] of log.entries()) {
    const owner = state.instances.find((each) => each.name === target);
    state.audit.push({
      id: newId('aud', now - ago),
      position: 1294 - index,
      at: iso(now - ago),
      actorKind: actorKind as 'user',
      actorId: actorKind === 'system' ? null : state.user.id,
      actor,
      action,
      targetKind: action.split('.')[0] ?? '',
      targetId: owner?.id ?? null,
      target,
      result,
      address: actorKind === 'system' ? null : '192.0.2.17',
      userAgent:
        actorKind === 'system'
          ? null
          : actorKind === 'token'
            ? 'berth-cli/0.1.0'
            : 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36',
      requestId: `req-${(ago * 7919).toString(16)}`,
      before: action === 'instance.resize' ? { cpus: 2, memoryBytes: 4 * GIB, protected: true } : null,
      after: action === 'instance.resize' ? { cpus: 4, memoryBytes: 8 * GIB, protected: true } : null,
    });
  }
  const course = newId('grp');
  state.groups.push({
    id: course,
    organization: state.organization.id,
    name: 'autumn-course',
    title: 'Autumn course',
    role: null,
    createdAt: iso(now - 9 * DAY),
    people: state.members.slice(1, 3).map((each) => each.user.id),
  });
  const [first] = state.projects;
  const someone = state.members.at(-1);
  if (first !== undefined && someone !== undefined) {
    state.projectRoles.push(
      { project: first.id, subject: course, role: 'viewer' },
      { project: first.id, subject: someone.user.id, role: 'operator' },
    );
  }
  const deploy = newId('usr');
  state.serviceAccounts.push(
    {
      id: deploy,
      organization: state.organization.id,
      name: 'deploy',
      description: 'Pipeline of the shop: makes a server for every branch',
      role: 'member',
      disabled: false,
      projects: [],
      lastUsedAt: iso(now - 12 * 60_000),
      createdAt: iso(now - 40 * DAY),
      createdBy: state.user.name,
      living: [
        {
          id: newId('tok'),
          name: 'pipeline',
          scopes: ['instance.*', 'route.*'],
          prefix: 'brt_c4Jx',
          createdAt: iso(now - 40 * DAY),
          expiresAt: iso(now + 50 * DAY),
          lastUsedAt: iso(now - 12 * 60_000),
          lastUsedAddress: '198.51.100.23',
        },
        {
          id: newId('tok'),
          name: 'pipeline, next',
          scopes: ['instance.*', 'route.*'],
          prefix: 'brt_W8pN',
          createdAt: iso(now - 2 * HOUR),
          expiresAt: iso(now + 90 * DAY),
          lastUsedAt: null,
          lastUsedAddress: null,
        },
      ],
    },
    {
      id: newId('usr'),
      organization: state.organization.id,
      name: 'status-page',
      description: '',
      role: 'guest',
      disabled: true,
      projects: state.projects.slice(0, 1).map(({ id, name }) => ({ id, name, role: 'viewer' as const })),
      lastUsedAt: null,
      createdAt: iso(now - 3 * DAY),
      createdBy: 'Deleted account',
      living: [],
    },
  );
  state.groups.at(-1)?.people.push(deploy);
  for (const row of state.instances.filter((each) => each.phase === 'ready').slice(0, 3)) {
    state.grants.push({
      id: newId('grt'),
      app: row.id,
      subject: course,
      permissions: ['open'],
      grantedBy: state.user.email,
      createdAt: iso(now - 8 * DAY),
    });
  }
  const quay = { id: newId('org'), name: 'quay', title: 'Quay Design', createdAt: iso(now - 60 * DAY) };
  state.tenants.push(
    {
      ...quay,
      members: 14,
      projects: 3,
      instances: 21,
      use: { cpus: 44, memoryBytes: 88 * GIB, diskBytes: 760 * GIB },
      entry: null,
    },
    {
      id: newId('org'),
      name: 'school',
      title: 'Evening School',
      createdAt: iso(now - 20 * DAY),
      members: 120,
      projects: 6,
      instances: 58,
      use: { cpus: 116, memoryBytes: 116 * GIB, diskBytes: 1160 * GIB },
      entry: null,
    },
  );
  state.entries.push({
    id: newId('ent'),
    organization: { id: state.organization.id, name: state.organization.name, title: state.organization.title },
    user: { id: newId('usr'), email: 'root@quay.example', name: 'Quay Administration' },
    reason: 'Asked for help: the desktop quay-paint does not start',
    createdAt: iso(now - DAY),
    expiresAt: iso(now - DAY + 3_600_000),
    endedAt: null,
  });
  return state;
}
