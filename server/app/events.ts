/**
 * Live hints for one connection: only what the caller may see, checked against what they hold now. A connection
 * ends when its session or token does.
 */
import type { Event } from '#contract/events.ts';
import { type Action, highestRole, holdingMay, platformMay } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { EventKind } from '#domain/events.ts';
import type { ProjectId } from '#domain/ids.ts';
import { type ScopedAction, scopesAllow } from '#domain/scopes.ts';
import type { OutboxFeed } from '#server/runtime/outbox-feed.ts';
import { nothingHeld, type Standing, standingOf } from '#server/store/held.ts';
import { isCredentialAlive } from '#server/store/identity.ts';
import { type OutboxRow, outboxSince } from '#server/store/outbox.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export type EventsContext = AppContext & { feed: OutboxFeed<OutboxRow> };

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

const actionOf: Record<
  Exclude<EventKind, 'session' | 'image' | 'host' | 'user' | 'mail' | 'key' | 'setting'>,
  Action
> = {
  instance: 'instance.read',
  operation: 'operation.read',
  snapshot: 'snapshot.read',
  route: 'route.read',
  forward: 'forward.read',
  backup: 'backup.read',
  'security-group': 'security-group.read',
  egress: 'egress.read',
  member: 'member.read',
  project: 'project.read',
  quota: 'quota.read',
  audit: 'audit.read',
  ssh: 'instance.ssh',
  domain: 'domain.read',
  dns: 'dns.read',
};

function scopeOf(kind: EventKind): ScopedAction {
  if (kind === 'session') return 'account.read';
  if (kind === 'image') return 'platform.image.read';
  if (kind === 'host') return 'platform.host.read';
  if (kind === 'user') return 'platform.user.read';
  if (kind === 'mail') return 'platform.mail.read';
  if (kind === 'setting') return 'platform.settings.read';
  return kind === 'key' ? 'platform.key.read' : actionOf[kind];
}

/** Whether a person who holds this may know of this row. */
export function maySee(person: PersonCaller, held: Standing, row: OutboxRow): boolean {
  if (!scopesAllow(person.scopes, scopeOf(row.kind))) return false;
  if (row.kind === 'session') return row.ref === person.userId;
  if (row.kind === 'member' && row.ref === person.userId) return true;
  if (row.kind === 'user') return platformMay(person.platformAdmin, 'platform.user.read');
  if (row.kind === 'setting') return platformMay(person.platformAdmin, 'platform.settings.read');
  if (row.kind === 'mail') return platformMay(person.platformAdmin, 'platform.mail.read');
  if (row.organizationId === null) {
    if (row.kind === 'host') return platformMay(person.platformAdmin, 'platform.host.read');
    if (row.kind === 'image' || row.kind === 'operation')
      return platformMay(person.platformAdmin, 'platform.image.read');
    return person.platformAdmin;
  }
  const inOrganization = held.organizations.get(row.organizationId);
  if (inOrganization === undefined || row.kind === 'image' || row.kind === 'host' || row.kind === 'key') return false;
  const inProject = row.projectId === null ? undefined : held.projects.get(row.projectId);
  const permissions = row.kind === 'instance' ? (held.instances.get(row.ref) ?? []) : [];
  return holdingMay({ role: highestRole([inOrganization, inProject ?? null]), permissions }, actionOf[row.kind]);
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
  if (project !== undefined) await authorize(app, caller, 'instance.list', { kind: 'project', id: project });
  const release = takeStream(caller.userId);
  let held = nothingHeld;
  /** News that arrive while the past is still being told. */
  let waiting: OutboxRow[] | null = [];
  let sink: EventSink | null = null;

  const deliver = (row: OutboxRow): void => {
    if (project !== undefined && row.projectId !== null && row.projectId !== project) return;
    if (!maySee(caller, held, row)) return;
    sink?.change(row.seq, {
      kind: row.kind,
      id: row.ref,
      project: row.projectId,
      instance: row.instanceId,
      version: row.version,
    });
  };
  const check = async (): Promise<void> => {
    try {
      if (!(await isCredentialAlive(app.db, caller.credential, app.clock.now()))) {
        sink?.end();
        return;
      }
      held = await standingOf(app.db, caller.userId);
    } catch (error) {
      // The database is away: nothing new is read either, so nothing can leak meanwhile.
      app.log.debug({ err: error }, 'could not check an event stream');
    }
  };
  const past = options.lastEventId === null ? [] : app.feed.since(options.lastEventId);
  const unsubscribe = app.feed.subscribe((rows) => {
    if (rows === null) {
      sink?.resync(app.feed.lastSeq);
      return;
    }
    if (waiting !== null) {
      waiting.push(...rows);
      return;
    }
    for (const row of rows) deliver(row);
    if (rows.some((row) => row.ref === caller.userId && (row.kind === 'session' || row.kind === 'member')))
      void check();
  });
  const heartbeat = setInterval(() => {
    sink?.heartbeat(app.feed.lastSeq);
    void check();
  }, HEARTBEAT_MS);
  const finish = (): void => {
    clearInterval(heartbeat);
    unsubscribe();
    release();
  };
  try {
    held = await standingOf(app.db, caller.userId);
    // Another replica, or this one before a restart, told the past: the table knows it, with some rows told again.
    const missed = past ?? (await outboxSince(app.db, options.lastEventId ?? 0, REPLAY_ROWS_MAX));
    sink = open();
    options.signal.addEventListener('abort', finish, { once: true });
    if (missed === null) sink.resync(app.feed.lastSeq);
    const told = new Set<number>();
    for (const row of missed ?? []) {
      told.add(row.seq);
      deliver(row);
    }
    const arrived = waiting;
    waiting = null;
    for (const row of arrived) if (!told.has(row.seq)) deliver(row);
    sink.heartbeat(app.feed.lastSeq);
    if (options.signal.aborted) finish();
    // What changed between asking for what is held and listening.
    else if (arrived.length > 0) void check();
  } catch (error) {
    finish();
    sink?.end();
    throw error;
  }
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
