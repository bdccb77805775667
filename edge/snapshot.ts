/**
 * The state on disk, so that a restarted edge serves at once even while the database and the server are away. Written
 * aside and renamed (never half a file), readable by edge alone; of secrets it holds only hashes, and
 * private keys only closed.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { grantPermissions, roles } from '#domain/authz.ts';
import { desiredStates, instanceKinds, instancePhases, observedStates } from '#domain/instances.ts';
import { redirectStatuses, routeBodyLimits, routeProtocols, routeTargets } from '#domain/route-rules.ts';
import type { EdgeState, EdgeTables } from './state.ts';

const FILE = 'state.json';
const FORMAT = 6;
/**
 * How old knowledge may be: without a database for longer than this, edge lets nobody in (addresses may have new
 * owners, people may have left).
 */
export const KNOWLEDGE_AGE_MS_MAX = 24 * 3_600_000;
const WRITE_DELAY_MS = 100;
/** Unchanged state is written again this often, because its age counts from the last confirmation. */
const REFRESH_MS = 60_000;

const header = z.object({ name: z.string(), value: z.string() });
const rulesSchema = z.object({
  allow: z.array(z.string()).exactOptional(),
  bodyBytesMax: z.union(routeBodyLimits.map((bytes) => z.literal(bytes))).exactOptional(),
  protocol: z.enum(routeProtocols).exactOptional(),
  requestHeaders: z.array(header).exactOptional(),
  responseHeaders: z.array(header).exactOptional(),
  basicAuth: z.object({ user: z.string(), hash: z.string() }).exactOptional(),
});
const time = z.number().int();
const scopes = z.array(z.string()).nullable();
const tablesSchema = z.object({
  routes: z.array(
    z.object({
      id: z.string(),
      hostname: z.string(),
      path: z.string(),
      target: z.enum(routeTargets),
      port: z.number().int().nullable(),
      redirect: z
        .object({ to: z.string(), status: z.union(redirectStatuses.map((status) => z.literal(status))) })
        .nullable(),
      rules: rulesSchema.nullable(),
      visibility: z.enum(['private', 'public']),
      organizationId: z.string(),
      instanceId: z.string(),
      enabled: z.boolean(),
    }),
  ),
  instances: z.array(
    z.object({
      id: z.string(),
      organizationId: z.string(),
      projectId: z.string(),
      name: z.string(),
      kind: z.enum(instanceKinds),
      phase: z.enum(instancePhases),
      desired: z.enum(desiredStates),
      observed: z.enum(observedStates),
      address4: z.string(),
      address6: z.string(),
    }),
  ),
  sessions: z.array(
    z.object({ id: z.string(), userId: z.string(), hash: z.string().nullable(), expiresAt: time, scopes }),
  ),
  tokens: z.array(
    z.object({ id: z.string(), userId: z.string(), hash: z.string(), expiresAt: time.nullable(), scopes }),
  ),
  access: z.array(
    z.object({
      organizationId: z.string(),
      projectId: z.string().nullable(),
      instanceId: z.string().nullable(),
      subject: z.string(),
      role: z.enum(roles).nullable(),
      permissions: z.array(z.enum(grantPermissions)).nullable(),
      expiresAt: time.nullable(),
    }),
  ),
  groupMembers: z.array(z.object({ organizationId: z.string(), groupId: z.string(), userId: z.string() })),
  signingKeys: z.array(
    z.object({
      id: z.string(),
      jwk: z.object({ kty: z.string(), n: z.string(), e: z.string() }),
      expiresAt: time.nullable(),
    }),
  ),
  controlAccess: z.object({ networks: z.array(z.string()), countries: z.array(z.string()) }).nullable(),
  wildcards: z.array(z.object({ name: z.string(), bundle: z.string() })),
  sshKeys: z.array(z.object({ id: z.string(), userId: z.string(), fingerprint: z.string(), label: z.string() })),
  hostKeys: z.array(z.object({ instanceId: z.string(), publicKeys: z.array(z.string()) })),
  places: z.array(z.object({ projectId: z.string(), project: z.string(), organization: z.string() })),
  sshEnds: z.array(z.string()),
  sshRecorded: z.array(z.object({ subject: z.string(), isFull: z.boolean() })),
  sshFactors: z.array(z.object({ session: z.string(), userId: z.string() })),
  factorOrganizations: z.array(z.string()),
  users: z.array(z.object({ id: z.string(), email: z.string(), name: z.string() })),
}) satisfies z.ZodType<EdgeTables>;
const fileSchema = z.object({ format: z.literal(FORMAT), confirmedAt: time, tables: tablesSchema });

export type Snapshot = { confirmedAt: number; tables: EdgeTables };

/** The snapshot in `directory`; a reason (for the log) when there is none that may be used at `now` (Unix ms). */
export function readSnapshot(directory: string, now: number): Snapshot | { reason: string } {
  let text: string;
  try {
    text = readFileSync(join(directory, FILE), 'utf8');
  } catch (error) {
    return { reason: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is none yet' : String(error) };
  }
  let parsed: z.output<typeof fileSchema>;
  try {
    parsed = fileSchema.parse(JSON.parse(text));
  } catch {
    return { reason: 'it cannot be read by this version' };
  }
  const age = now - parsed.confirmedAt;
  if (age > KNOWLEDGE_AGE_MS_MAX) return { reason: `it is ${Math.round(age / 3_600_000)} hours old` };
  return { confirmedAt: parsed.confirmedAt, tables: parsed.tables };
}

/** Writes `snapshot` so that a crash at any moment leaves the old or the new one. */
export async function writeSnapshot(directory: string, snapshot: Snapshot): Promise<void> {
  await writeFile(directory, fileText(snapshot.confirmedAt, JSON.stringify(snapshot.tables)));
}

function fileText(confirmedAt: number, tables: string): string {
  return `{"format":${FORMAT},"confirmedAt":${confirmedAt},"tables":${tables}}\n`;
}

async function writeFile(directory: string, text: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const aside = join(directory, `.${FILE}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(aside, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    renameSync(aside, join(directory, FILE));
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

export type SnapshotKeeper = { flush(): Promise<void>; stop(): Promise<void> };

/** Keeps the file equal to the state: soon after every change, and regularly to renew its age. */
export function keepSnapshot(
  directory: string,
  state: EdgeState,
  now: () => number,
  onError: (error: unknown) => void,
): SnapshotKeeper {
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let written = { tables: '', confirmedAt: 0 };
  const write = (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (state.confirmedAt === 0) return writing;
    writing = writing
      .then(async () => {
        const { confirmedAt } = state;
        const tables = JSON.stringify(state.dump(now()));
        // Most hints change nothing that edge keeps: the disk is left alone then.
        if (tables === written.tables && confirmedAt - written.confirmedAt < REFRESH_MS / 2) return;
        await writeFile(directory, fileText(confirmedAt, tables));
        written = { tables, confirmedAt };
      })
      .catch(onError);
    return writing;
  };
  const forget = state.onChange(() => {
    timer ??= setTimeout(write, WRITE_DELAY_MS);
  });
  const refresh = setInterval(write, REFRESH_MS);
  return {
    flush: write,
    stop: async () => {
      forget();
      clearInterval(refresh);
      await write();
    },
  };
}
