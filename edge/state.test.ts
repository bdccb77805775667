import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventKinds } from '#domain/events.ts';
import type { EdgeAccess } from './access.ts';
import { planHints } from './feed.ts';
import { KNOWLEDGE_AGE_MS_MAX, readSnapshot, writeSnapshot } from './snapshot.ts';
import { EdgeState, type EdgeTables, emptyTables, hashToken } from './state.ts';
import { Scrollback } from './terminal.ts';

const now = 1_700_000_000_000;
const tables: EdgeTables = {
  ...emptyTables(),
  users: [{ id: 'usr_1', email: 'a@b.c', name: 'A' }],
  sessions: [
    { id: 'ses_1', userId: 'usr_1', hash: hashToken('one'), expiresAt: now + 1000, scopes: null },
    { id: 'ses_2', userId: 'usr_gone', hash: hashToken('two'), expiresAt: now + 1000, scopes: null },
  ],
  tokens: [{ id: 'tok_1', userId: 'usr_1', hash: hashToken('brt_x'), expiresAt: null, scopes: null }],
  access: [access({ organizationId: 'org_1', role: 'admin' }), access({ organizationId: 'org_2', role: 'viewer' })],
  groupMembers: [{ organizationId: 'org_1', groupId: 'grp_1', userId: 'usr_1' }],
};
function access(changes: Partial<EdgeAccess>): EdgeAccess {
  const nothing = { projectId: null, instanceId: null, role: null, permissions: null, expiresAt: null };
  return { organizationId: 'org_1', subject: 'usr_1', ...nothing, ...changes };
}
const route = (id: string, hostname: string, path = '/') => ({
  id,
  hostname,
  path,
  redirect: null,
  rules: null,
  target: 'port' as const,
  port: 80,
  visibility: 'public' as const,
  organizationId: 'org_1',
  instanceId: 'ins_1',
  enabled: true,
});

describe('EdgeState', () => {
  it('I2: knows sessions by hash until they expire, and nobody whose account is gone', () => {
    const state = new EdgeState();
    state.replace(tables);
    expect(state.sessionByHash(hashToken('one'), now)).toEqual({
      kind: 'session',
      id: 'ses_1',
      userId: 'usr_1',
      scopes: null,
    });
    expect(state.sessionByHash(hashToken('one'), now + 1000)).toBeUndefined();
    expect(state.sessionByHash(hashToken('two'), now)).toBeUndefined();
    expect(state.tokenByHash(hashToken('brt_x'), now + 1e12)).toMatchObject({ kind: 'token' });
    state.removeUser('usr_1');
    expect(state.stillSignedIn({ kind: 'token', id: 'tok_1', userId: 'usr_1', scopes: null }, now)).toBe(false);
  });

  it('D2: a host name belongs to one route, the one put last', () => {
    const state = new EdgeState();
    state.putRoute(route('rte_1', 'a.b'));
    state.putRoute(route('rte_2', 'a.b'));
    expect(state.routes('a.b')[0]?.id).toBe('rte_2');
    state.removeRoute('rte_1');
    expect(state.routes('a.b')[0]?.id).toBe('rte_2');
    state.putRoute(route('rte_2', 'c.d'));
    expect([state.routes('a.b'), state.routes('c.d')[0]?.id]).toEqual([[], 'rte_2']);
    expect(state.routesOf(new Set(['ins_1']))).toEqual(['rte_2']);
  });

  it('I4: forgets what organizations gave and what people and groups held', () => {
    const state = new EdgeState();
    const role = (organizationId: string) => state.holding('usr_1', { organizationId, instanceId: 'ins_1' }, now).role;
    state.replace(tables);
    state.access.removeOrganizations(new Set(['org_2']));
    expect([role('org_1'), role('org_2')]).toEqual(['admin', null]);
    state.access.put(access({ subject: 'grp_1', role: 'owner' }));
    expect(role('org_1')).toBe('owner');
    state.access.removeSubjects(new Set(['usr_1']));
    expect(role('org_1')).toBeNull();
  });

  it('A7: the copy for the disk holds every grant and group, and gives the same answers', () => {
    const state = new EdgeState();
    const grant = access({ subject: 'grp_1', instanceId: 'ins_1', permissions: ['terminal'] });
    state.replace({ ...tables, access: [...tables.access, grant] });
    const copy = new EdgeState();
    copy.replace(state.dump(now));
    expect(copy.holding('usr_1', { organizationId: 'org_1', instanceId: 'ins_1' }, now)).toEqual({
      role: 'admin',
      permissions: ['terminal'],
    });
  });

  it('tells listeners once per batch', () => {
    const state = new EdgeState();
    let changes = 0;
    const stop = state.onChange(() => changes++);
    state.replace(tables);
    stop();
    state.changed();
    expect(changes).toBe(1);
  });
});

describe('planHints', () => {
  const hint = (kind: string, ref: string, organization_id: string | null = null) => ({ kind, ref, organization_id });

  it('reads again exactly what hints name', () => {
    const plan = planHints([
      hint('instance', 'ins_1'),
      hint('instance', 'ins_1'),
      hint('route', 'rte_1'),
      hint('session', 'usr_1'),
      hint('member', 'usr_2', 'org_1'),
      hint('member', 'inv_1', 'org_2'),
      hint('operation', 'opr_1'),
      hint('quota', 'prj_1'),
    ]);
    expect(plan).toEqual({
      all: false,
      instances: new Set(['ins_1']),
      routes: new Set(['rte_1']),
      users: new Set(['usr_1', 'usr_2']),
      organizations: new Set(['org_1', 'org_2']),
      projects: new Set(['prj_1']),
      sshSessions: new Set(),
    });
  });

  it('reads all again for a hint it does not understand', () => {
    for (const strange of [hint('route', 'xyz_1'), hint('future', 'new'), hint('member', 'usr_1', null)]) {
      expect(planHints([strange]).all).toBe(true);
    }
  });

  it('understands every kind of hint that the server writes', () => {
    const refs: Record<(typeof eventKinds)[number], string> = {
      instance: 'ins_1',
      operation: 'opr_1',
      snapshot: 'snp_1',
      route: 'rte_1',
      forward: 'fwd_1',
      'security-group': 'sgr_1',
      egress: 'prj_1',
      image: 'img_1',
      host: 'hst_1',
      member: 'usr_1',
      project: 'prj_1',
      quota: 'prj_1',
      session: 'usr_1',
      audit: 'aud_1',
      user: 'usr_1',
      mail: 'eml_1',
      key: 'key_1',
      ssh: 'shs_1',
      domain: 'dom_1',
      backup: 'cpy_1',
      dns: 'dnp_1',
      setting: 'control.access',
    };
    // Keys and settings change a few times a year: all is read again.
    for (const kind of eventKinds)
      expect([kind, planHints([hint(kind, refs[kind], 'org_1')]).all]).toEqual([
        kind,
        kind === 'key' || kind === 'setting',
      ]);
  });
});

describe('snapshot', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'berth-snap-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('R1: comes back as it was, for its owner alone', async () => {
    expect(readSnapshot(dir, now)).toEqual({ reason: 'there is none yet' });
    await writeSnapshot(dir, { confirmedAt: now, tables });
    expect(readSnapshot(dir, now + KNOWLEDGE_AGE_MS_MAX)).toEqual({ confirmedAt: now, tables });
    expect(statSync(join(dir, 'state.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dir, 'state.json'), 'utf8')).not.toContain('brt_');
  });

  it('R1: too old, cut off or foreign: not used', async () => {
    expect(readSnapshot(dir, now + KNOWLEDGE_AGE_MS_MAX + 1)).toHaveProperty('reason');
    const text = readFileSync(join(dir, 'state.json'), 'utf8');
    for (const broken of [
      text.slice(0, -5),
      '',
      '{}',
      text.replace('"format":6', '"format":7'),
      text.replace('admin', 'god'),
    ]) {
      writeFileSync(join(dir, 'state.json'), broken);
      expect(readSnapshot(dir, now)).toEqual({ reason: 'it cannot be read by this version' });
    }
  });
});

describe('Scrollback', () => {
  it('V3: keeps the end, bounded, from a whole line', () => {
    const scrollback = new Scrollback(1000 + 64 * 1024);
    for (let line = 0; line < 20_000; line++) scrollback.add(Buffer.from(`line ${line}\r\n`));
    const text = scrollback.read().toString();
    expect(text.length).toBeLessThanOrEqual(1000 + 64 * 1024);
    expect(text).toMatch(/^line \d+\r\n/);
    expect(text.endsWith('line 19999\r\n')).toBe(true);
    scrollback.add(Buffer.alloc(1_000_000, 65));
    expect(scrollback.read().length).toBe(1000 + 64 * 1024);
  });

  it('V3: gives everything while nothing was lost', () => {
    const scrollback = new Scrollback(256 * 1024);
    scrollback.add(Buffer.from('no line end'));
    expect(scrollback.read().toString()).toBe('no line end');
    expect(new Scrollback(10).read().length).toBe(0);
  });
});
