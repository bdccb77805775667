/** Recordings of SSH sessions of the mock. */
import { roleMay } from '#domain/authz.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { castHeader, castLine, SSH_RECORDING_DAYS_DEFAULT } from '#domain/ssh-recordings.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import { sshAccess } from './handlers-ssh.ts';
import { hint, iso, type MockState, newId, record } from './state.ts';

type Name = `sshRecordings${'List' | 'Read' | 'Delete'}` | 'sshRecordingSet' | `sshRecordingPolicy${'Get' | 'Set'}`;
type Item = OutputOf<'sshRecordingsList'>['items'][number];
export type MockRecording = {
  enabled: boolean;
  days: number;
  full: boolean;
  /** Instances that say so themselves. */
  instances: string[];
  items: { instance: string; item: Item }[];
};

export const emptyRecording = (): MockRecording => ({
  enabled: false,
  days: SSH_RECORDING_DAYS_DEFAULT,
  full: false,
  instances: [],
  items: [],
});

const NO = 'Your role does not allow this.';
const may = (state: MockState, action: 'play' | 'update' | 'delete') =>
  roleMay(state.role, `ssh-recording.${action}`) ? (true as const) : NO;

export function recordingRule(state: MockState, instance: string): OutputOf<'sshAccess'>['recording'] {
  const { enabled, days, full, instances } = state.sshRecording;
  return {
    server: instances.includes(instance),
    organization: enabled,
    ...{ days, full },
    can: { play: may(state, 'play'), update: may(state, 'update') },
  };
}

const policy = (state: MockState): OutputOf<'sshRecordingPolicyGet'> => ({
  enabled: state.sshRecording.enabled,
  days: state.sshRecording.days,
  usedBytes: state.sshRecording.items.reduce((sum, { item }) => sum + item.sizeBytes, 0),
  full: state.sshRecording.full,
  can: { update: may(state, 'update') },
});

/** One server records; two sessions of it are over, one goes on. */
export function someSshRecordings(state: MockState, now: number): MockRecording {
  const server = state.instances.find((each) => each.name === 'beacon');
  const [first, second] = state.members;
  if (server === undefined || first === undefined) return emptyRecording();
  const item = (more: Partial<Item>): { instance: string; item: Item } => ({
    instance: server.id,
    item: {
      id: newId('srd'),
      user: first.user,
      session: newId('shs'),
      address: '192.0.2.17',
      startedAt: iso(now - 90_000),
      milliseconds: 0,
      sizeBytes: 18_240,
      sha256: null,
      endedAt: null,
      endReason: null,
      ...more,
    },
  });
  const over = (hours: number, minutes: number, more: Partial<Item> = {}) =>
    item({
      startedAt: iso(now - hours * 3_600_000),
      milliseconds: minutes * 60_000,
      endedAt: iso(now - hours * 3_600_000 + minutes * 60_000),
      endReason: 'The session ended.',
      sha256: 'c0ffee'.padEnd(64, '0'),
      ...more,
    });
  const items = [
    item({}),
    over(20, 14, { user: (second ?? first).user, sizeBytes: 402_118 }),
    over(70, 3, { endReason: 'It was cut off: the SSH gateway ended.', sha256: null, sizeBytes: 9_114 }),
  ];
  return { ...emptyRecording(), instances: [server.id], items };
}

function cast(item: Item): string {
  const startedAt = new Date(item.startedAt);
  const of = {
    width: 80,
    height: 12,
    term: 'xterm-256color',
    title: item.user.email,
    session: item.session,
    startedAt,
  };
  const prompt = '\u001b[32mberth@beacon\u001b[0m:\u001b[34m~\u001b[0m$ ';
  return [
    castHeader(of),
    castLine(100, 'o', prompt),
    castLine(600, 'o', './deploy.sh\r\n'),
    castLine(900, 'o', 'pulling 4 layers\r\n'),
    castLine(1_600, 'o', '\u001b[1mdeploy finished\u001b[0m\r\n'),
    castLine(1_700, 'o', prompt),
    castLine(9_000, 'o', 'exit\r\n'),
  ].join('');
}

const find = (state: MockState, params: { instance: string; recording: string }) => {
  const found = state.sshRecording.items.find(
    ({ instance, item }) => instance === params.instance && item.id === params.recording,
  );
  if (found === undefined) throw notFound('recording');
  return found;
};

export const sshRecordingHandlers: Pick<Handlers, Name> = {
  sshRecordingSet: (state, { params, body }) => {
    const others = state.sshRecording.instances.filter((each) => each !== params.instance);
    state.sshRecording.instances = body.enabled ? [...others, params.instance] : others;
    record(state, 'instance.ssh.recording', 'instance', params.instance, params.instance);
    return sshAccess(state, params.instance);
  },
  sshRecordingsList: (state, { params }) => ({
    items: state.sshRecording.items.filter(({ instance }) => instance === params.instance).map(({ item }) => item),
    nextCursor: null,
    can: { delete: may(state, 'delete') },
  }),
  sshRecordingsRead: (state, { params }) => {
    record(state, 'instance.ssh.recording.read', 'instance', params.instance, params.instance);
    return cast(find(state, params).item);
  },
  sshRecordingsDelete: (state, { params }) => {
    const found = find(state, params);
    if (found.item.endedAt === null) throw new BerthError('state_conflict', 'It is still being recorded.');
    state.sshRecording.items = state.sshRecording.items.filter((each) => each !== found);
    hint('ssh', params.recording, null, params.instance);
    return undefined;
  },
  sshRecordingPolicyGet: (state) => policy(state),
  sshRecordingPolicySet: (state, { params, body }) => {
    Object.assign(state.sshRecording, body);
    hint('project', params.organization);
    return policy(state);
  },
};
