/** Who is there, what they signed in with and what they did: people, tokens, sessions, the audit log, other organizations. */
import { GIB } from '#domain/sizes.ts';
import { someSshKeys, someSshSessions } from './handlers-ssh.ts';
import { someSshRecordings } from './handlers-ssh-recordings.ts';
import { DAY, HOUR, MINUTE } from './make.ts';
import type { MockState } from './state.ts';
import { DOMAIN, iso, newId } from './state.ts';

export function seedIdentity(state: MockState, now: number): void {
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
}
