/**
 * Live hints for one connection: only what the caller may see, checked against the roles they hold now. A connection
 * ends when its session or token does.
 */
import type { Event } from '#contract/events.ts';
import { type Action, platformMay, type Role, roleMay } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { type FeedPosition, isAfter, type OutboxFeed } from '#server/runtime/outbox-feed.ts';
import { isCredentialAlive } from '#server/store/identity.ts';
import { rolesOf } from '#server/store/members.ts';
import { type HintKind, type OutboxRow, outboxPosition, readOutbox } from '#server/store/outbox.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export type EventsContext = AppContext & { feed: OutboxFeed };

/** Where hints go. `id` is the outbox number. */
export type EventSink = {
  change(id: number, event: Event): void;
  /** "Refetch everything": hints were missed. */
  resync(id: number): void;
  /** Keeps the connection open and tells how far it is. */
  heartbeat(id: number): void;
  end(): void;
};

export const STREAMS_PER_PERSON_MAX = 30;
const HEARTBEAT_MS = 15_000;
/** Rows replayed to a connection that comes back; beyond it is told to refetch everything. */
const REPLAY_ROWS_MAX = 2_000;

const streams = new Map<string, number>();

const actionOf: Record<Exclude<HintKind, 'session' | 'image' | 'host'>, Action> = {
  instance: 'instance.read',
  operation: 'operation.read',
  snapshot: 'instance.read',
  route: 'route.read',
  member: 'member.read',
  project: 'project.read',
  quota: 'quota.read',
  audit: 'audit.read',
};

/** Whether a person with these roles may know of this row. */
export function maySee(person: PersonCaller, roles: ReadonlyMap<string, Role>, row: OutboxRow): boolean {
  if (row.kind === 'session') return row.ref === person.userId;
  if (row.kind === 'member' && row.ref === person.userId) return true;
  if (row.organizationId === null) {
    if (row.kind === 'host') return platformMay(person.platformAdmin, 'platform.host.read');
    if (row.kind === 'image' || row.kind === 'operation')
      return platformMay(person.platformAdmin, 'platform.image.read');
    return person.platformAdmin;
  }
  const role = roles.get(row.organizationId);
  if (role === undefined || row.kind === 'image' || row.kind === 'host') return false;
  return roleMay(role, actionOf[row.kind]);
}

/**
 * Streams hints to `sink` until `signal` aborts, the credential ends or the sink falls behind. `lastEventId` is the
 * outbox number the caller saw last. Errors: not_found (project), rate_limited (too many streams).
 */
export async function streamEvents(
  app: EventsContext,
  caller: PersonCaller,
  options: { project?: ProjectId | undefined; lastEventId: number | null; signal: AbortSignal },
  open: () => EventSink,
): Promise<void> {
  const { project } = options;
  if (project !== undefined) await authorize(app, caller, 'project.read', { kind: 'project', id: project });
  const release = takeStream(caller.userId);
  let roles: ReadonlyMap<string, Role>;
  const live: OutboxRow[] = [];
  let replaying = true;
  let sink: EventSink | null = null;
  let last: FeedPosition = app.feed.position;

  const deliver = (row: OutboxRow): void => {
    if (!isAfter(row, last)) return;
    last = { txid: row.txid, seq: row.seq };
    if (project !== undefined && row.projectId !== null && row.projectId !== project) return;
    if (!maySee(caller, roles, row)) return;
    sink?.change(row.seq, {
      kind: row.kind,
      id: row.ref,
      project: row.projectId,
      instance: row.instanceId,
      version: row.version,
    });
  };
  const unsubscribe = app.feed.subscribe((rows) => {
    const mine = rows as readonly OutboxRow[];
    if (replaying) {
      live.push(...mine);
      return;
    }
    for (const row of mine) deliver(row);
    if (mine.some((row) => row.ref === caller.userId && (row.kind === 'session' || row.kind === 'member')))
      void check();
  });
  const check = async (): Promise<void> => {
    try {
      if (!(await isCredentialAlive(app.db, caller.credential, app.clock.now()))) {
        sink?.end();
        return;
      }
      roles = await rolesOf(app.db, caller);
    } catch (error) {
      // The database is away: nothing new is read either, so nothing can leak meanwhile.
      app.log.debug({ err: error }, 'could not check an event stream');
    }
  };
  const heartbeat = setInterval(() => {
    sink?.heartbeat(last.seq);
    void check();
  }, HEARTBEAT_MS);
  const finish = (): void => {
    clearInterval(heartbeat);
    unsubscribe();
    release();
  };
  try {
    roles = await rolesOf(app.db, caller);
    sink = open();
    options.signal.addEventListener('abort', finish, { once: true });
    if (options.lastEventId === null) {
      sink.heartbeat(last.seq);
    } else {
      last = await replay(
        app,
        options.lastEventId,
        last,
        sink,
        (position) => {
          last = position;
        },
        deliver,
      );
    }
    replaying = false;
    for (const row of live.splice(0)) deliver(row);
    if (options.signal.aborted) finish();
  } catch (error) {
    finish();
    sink?.end();
    throw error;
  }
}

/** Sends what was missed since `lastEventId`; `resync` when that is not known any more or too much. Answers the new position. */
async function replay(
  app: EventsContext,
  lastEventId: number,
  head: FeedPosition,
  sink: EventSink,
  moveTo: (position: FeedPosition) => void,
  deliver: (row: OutboxRow) => void,
): Promise<FeedPosition> {
  let position = await outboxPosition(app.db, lastEventId);
  if (position === null) {
    sink.resync(head.seq);
    return head;
  }
  moveTo(position);
  for (let count = 0; count < REPLAY_ROWS_MAX; ) {
    const { rows } = await readOutbox(app.db, position);
    const last = rows.at(-1);
    if (last === undefined) {
      sink.heartbeat(position.seq);
      return position;
    }
    for (const row of rows) deliver(row);
    position = { txid: last.txid, seq: last.seq };
    count += rows.length;
  }
  const now = app.feed.position;
  const reached = isAfter(now, position) ? now : position;
  sink.resync(reached.seq);
  return reached;
}

function takeStream(userId: string): () => void {
  const open = streams.get(userId) ?? 0;
  if (open >= STREAMS_PER_PERSON_MAX) {
    throw new BerthError('rate_limited', `At most ${STREAMS_PER_PERSON_MAX} live connections per person.`, {
      retryAfterSeconds: 10,
    });
  }
  streams.set(userId, open + 1);
  let released = false;
  return () => {
    if (released) return;
    released = true;
    const left = (streams.get(userId) ?? 1) - 1;
    if (left <= 0) streams.delete(userId);
    else streams.set(userId, left);
  };
}

/** For tests and status pages. */
export function openStreams(): number {
  let sum = 0;
  for (const count of streams.values()) sum += count;
  return sum;
}
