/** What can be said of a simulated guest without changing it. */
import { BerthError } from '#domain/errors.ts';
import type { ObservedState } from '#domain/instances.ts';
import type { Reading } from '#domain/metrics.ts';
import { GIB } from '#domain/sizes.ts';
import type { GuestObservation, HealthReport, LogEntry, LogQuery, PowerAction } from '../interface.ts';
import type { SimulatedGuest } from './state.ts';

export const UIDS_PER_GUEST = 65_536;

/** The state a power action leads to. Asking for what already is so is fine; the impossible is `state_conflict`. */
export function powerTarget(action: PowerAction, state: ObservedState): ObservedState {
  switch (action) {
    case 'start':
      if (state === 'paused') throw new BerthError('state_conflict', 'It is paused: resume it.');
      return 'running';
    case 'stop':
      return 'stopped';
    case 'restart':
      if (state !== 'running') throw new BerthError('state_conflict', 'It does not run.');
      return 'running';
    case 'pause':
      if (state !== 'running' && state !== 'paused')
        throw new BerthError('state_conflict', 'Only a running guest can be paused.');
      return 'paused';
    case 'resume':
      if (state !== 'running' && state !== 'paused') throw new BerthError('state_conflict', 'It is not paused.');
      return 'running';
  }
}

export function observationOf(guest: SimulatedGuest): GuestObservation {
  const running = guest.state === 'running' || guest.state === 'paused';
  return {
    instance: guest.instance,
    project: guest.project,
    state: guest.state,
    hostname: guest.hostname,
    size: { ...guest.size },
    imageFingerprint: guest.imageFingerprint,
    address4: guest.address4,
    address6: guest.address6,
    uidBase: guest.uidBase,
    uidCount: UIDS_PER_GUEST,
    createdAt: guest.createdAt,
    startedAt: guest.startedAt,
    memoryUsedBytes: running ? 100 * 1024 ** 2 : null,
    diskUsedBytes: GIB,
    cpuUsedNs: running ? 1_000_000_000 : null,
    processes: running ? 20 : null,
    snapshots: guest.snapshots.map(({ snapshot, createdAt }) => ({ snapshot, createdAt })),
  };
}

export function healthOf(guest: SimulatedGuest, at: string): HealthReport {
  const state = guest.state === 'running' ? 'healthy' : 'unknown';
  const names = guest.kind === 'desktop' ? ['rfb', 'openclaw'] : ['systemd', 'sshd'];
  const checks = names.map((name) => ({ name, state, message: 'Simulated.', optional: name === 'openclaw' }) as const);
  return { state, checks, checkedAt: at };
}

/** The same at every look, another for every guest. */
export function hostKeyOf(guest: SimulatedGuest): string {
  const key = Buffer.alloc(51);
  key.write('\0\0\0\x0bssh-ed25519\0\0\0\x20');
  key.write(guest.instance, 19);
  return `ssh-ed25519 ${key.toString('base64')}`;
}

export function logsOf(guest: SimulatedGuest, query: LogQuery): LogEntry[] {
  const entries = [
    { ts: guest.createdAt, unit: 'init', priority: 6, message: `Welcome to ${guest.hostname}` },
    {
      ts: guest.startedAt ?? guest.createdAt,
      unit: 'ssh',
      priority: 6,
      message: 'Server listening on 0.0.0.0 port 22.',
    },
  ];
  return entries
    .filter((entry) => query.unit === undefined || entry.unit === query.unit)
    .filter((entry) => query.search === undefined || entry.message.toLowerCase().includes(query.search.toLowerCase()))
    .slice(-query.lines);
}

/** Half of the processors and memory, and some bytes, after so many seconds. */
export function simulatedReading(size: { cpus: number; memoryBytes: number }, seconds: number): Reading {
  return {
    cpuSeconds: seconds * (size.cpus / 2),
    cpuLimit: size.cpus,
    memoryBytes: size.memoryBytes / 2,
    memoryLimitBytes: size.memoryBytes,
    readBytes: seconds * 1000,
    writtenBytes: seconds * 2000,
    receivedBytes: seconds * 3000,
    sentBytes: seconds * 4000,
    processes: 10,
  };
}
