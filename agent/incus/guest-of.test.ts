import { describe, expect, it } from 'vitest';
import { makeId } from '#domain/ids.ts';
import { guestName, label, Names } from '../names.ts';
import { engineError } from './client.ts';
import { toEvent } from './events.ts';
import { observedState, toGuest } from './guest-of.ts';
import type { IncusEvent, IncusInstance } from './types.ts';

const instance = makeId('ins', 1, () => new Uint8Array(16).fill(3));
const project = makeId('prj', 1, () => new Uint8Array(16).fill(4));
const map = JSON.stringify([
  { Isuid: true, Isgid: false, Hostid: 1_065_536, Nsid: 0, Maprange: 65_536 },
  { Isuid: false, Isgid: true, Hostid: 1_065_536, Nsid: 0, Maprange: 65_536 },
]);

const raw: IncusInstance = {
  name: guestName(instance),
  project: 'bth-abcdef-0123456789',
  status: 'Running',
  type: 'container',
  created_at: '2026-11-21T03:18:52.367198244Z',
  last_used_at: '',
  config: {
    [label.installation]: 'abcdef',
    [label.instance]: instance,
    [label.project]: project,
    [label.kind]: 'desktop',
    [label.hostname]: 'alpha',
    'limits.cpu': '2',
    'limits.memory': '1073741824',
    'volatile.idmap.current': map,
    'volatile.base_image': 'f'.repeat(64),
  },
  devices: {
    root: { type: 'disk', path: '/', pool: 'bth-abcdef', size: '8589934592' },
    eth0: { type: 'nic', 'ipv4.address': '10.64.1.10', 'ipv6.address': 'fd42:1:2:1::a' },
  },
  expanded_config: {},
  expanded_devices: {},
  profiles: [],
  ephemeral: false,
  stateful: false,
  architecture: 'x86_64',
  description: '',
  state: {
    status: 'Running',
    pid: 77,
    processes: 12,
    started_at: '2026-11-21T03:19:00Z',
    cpu: { usage: 5 },
    memory: { usage: 6, total: 7 },
    disk: { root: { usage: 8, total: 9 } },
    network: null,
  },
  snapshots: [{ name: 'by-hand', created_at: '2026-11-21T03:18:52Z', config: {} }],
};

describe('guests as the engine tells them', () => {
  it('become observations', () => {
    expect(toGuest(raw)).toMatchObject({
      instance,
      project,
      kind: 'desktop',
      state: 'running',
      hostname: 'alpha',
      size: { cpus: 2, memoryBytes: 2 ** 30, diskBytes: 2 ** 33 },
      uidBase: 1_065_536,
      uidCount: 65_536,
      createdAt: '2026-11-21T03:18:52.367Z',
      startedAt: '2026-11-21T03:19:00.000Z',
      memoryUsedBytes: 6,
      diskUsedBytes: 8,
      cpuUsedNs: 5,
      processes: 12,
      snapshots: [],
    });
  });

  it('show limits that somebody took away as no size at all', () => {
    expect(toGuest({ ...raw, config: { ...raw.config, 'limits.memory': '50%' } })?.size).toBeNull();
    expect(toGuest({ ...raw, devices: { root: { type: 'disk' } } })?.size).toBeNull();
  });

  it('are nobody without sensible labels', () => {
    expect(toGuest({ ...raw, config: { ...raw.config, [label.instance]: 'web1' } })).toBeNull();
    expect(toGuest({ ...raw, config: { ...raw.config, [label.project]: '../x' } })).toBeNull();
  });

  it('have states of ours, and unknown ones are unknown', () => {
    expect(['Running', 'Stopped', 'Frozen', 'Starting', 'Stopping', 'Error', 'Refreshing'].map(observedState)).toEqual([
      'running',
      'stopped',
      'paused',
      'starting',
      'stopping',
      'error',
      'unknown',
    ]);
  });
});

describe('engine events', () => {
  const names = new Names('abcdef');
  const event = (action: string, source: string, engineProject = 'bth-abcdef-0123456789'): IncusEvent => ({
    type: 'lifecycle',
    timestamp: '2026-11-21T03:19:00Z',
    project: engineProject,
    metadata: { action, source },
  });
  const source = `/1.0/instances/${guestName(instance)}?project=bth-abcdef-0123456789`;

  it('count only for our own guests', () => {
    expect(toEvent(event('instance-started', source), names)).toEqual({
      at: '2026-11-21T03:19:00.000Z',
      type: 'instance',
      instance,
      action: 'started',
    });
    expect(toEvent(event('instance-started', source, 'bth-zzzzzz-0123456789'), names)).toBeNull();
    expect(toEvent(event('instance-started', source, 'default'), names)).toBeNull();
    expect(toEvent(event('instance-started', '/1.0/instances/web1'), names)).toBeNull();
    expect(toEvent(event('instance-exec', source), names)).toBeNull();
    expect(toEvent(event('image-created', '/1.0/images/x', 'default'), names)?.type).toBe('image');
    expect(toEvent(event('network-acl-updated', '/1.0/network-acls/x', 'default'), names)?.type).toBe('network');
  });
});

describe("the engine's errors", () => {
  it('keep its words away from callers', () => {
    const error = engineError(500, 'Failed: secret path /var/lib/incus of tenant x');
    expect(error).toMatchObject({ code: 'upstream_failed' });
    expect(error.message).not.toContain('tenant');
    expect(engineError(404, 'Instance not found').code).toBe('not_found');
    expect(engineError(400, 'The instance already exists').code).toBe('conflict');
    expect(engineError(500, 'write: no space left on device').message).toContain('full');
  });
});
