/** The image cache of the installation: its settings, what hosts say of it, and when it should be looked at. */
import type { RegistryCache } from '#contract/registry.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { hitRate, isLimitLow, savedBytes } from '#domain/registry.ts';
import { record } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import {
  type RegistrySettings,
  readRegistry,
  registryPasswordPlace,
  registryStatuses,
  type SeenRegistry,
  writeRegistry,
} from '#server/store/registry.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

/** Name of the reconciler that tells the host. */
const KEEPER = 'registry-keeper';

export async function getRegistry(app: AppContext, caller: Caller): Promise<RegistryCache> {
  await authorizePlatform(app, caller, 'platform.registry.read');
  return present(app);
}

async function present(app: AppContext): Promise<RegistryCache> {
  const [{ passwordSealed, emptied: _emptied, ...settings }, statuses] = await Promise.all([
    readRegistry(app.db),
    registryStatuses(app.db),
  ]);
  const mine = statuses.find((each) => each.hostName === app.config.hostName) ?? statuses[0];
  return {
    ...settings,
    hasPassword: passwordSealed !== null,
    status: mine === undefined ? null : presentStatus(mine, app.clock.now().getTime()),
  };
}

function presentStatus({ status, seenAt }: SeenRegistry, now: number): NonNullable<RegistryCache['status']> {
  const { limit } = status;
  return {
    ...status,
    seenAt: seenAt.toISOString(),
    hitRate: hitRate(status),
    savedBytes: savedBytes(status),
    limit: limit === null ? null : { ...limit, low: isLimitLow(limit, now) },
  };
}

/** Without the password. */
function shown({ passwordSealed, ...rest }: RegistrySettings): object {
  return { ...rest, signsIn: passwordSealed !== null };
}

/** Errors: step_up_required, invalid_input (a user without a password, a password over an open connection). */
export async function updateRegistry(
  app: AppContext,
  caller: PersonCaller,
  input: {
    enabled: boolean;
    upstream: string;
    username: string | null;
    password?: string | null | undefined;
    caCertificate: string | null;
    bytesMax: number;
  },
): Promise<RegistryCache> {
  const proof = await authorizePlatform(app, caller, 'platform.registry.update');
  await requireConfirmed(app, caller, 'registry.cache');
  await transact(app.db, async (trx) => {
    const before = await readRegistry(trx);
    const { password, ...rest } = input;
    const upstream = new URL(input.upstream).origin;
    // Kept only for the same upstream and user: else somebody could have it sent to a server of their own.
    const same = before.upstream === upstream && before.username === input.username;
    const kept = password === undefined && same ? before.passwordSealed : null;
    const passwordSealed = password == null ? kept : app.secrets.seal(registryPasswordPlace, password);
    if (input.username !== null && passwordSealed === null)
      throw field('password', 'The password of this user, please.');
    if (input.username === null && passwordSealed !== null) throw field('username', 'A password belongs to a user.');
    if (passwordSealed !== null && !mayCarrySecrets(upstream))
      throw field('upstream', 'A password is not sent over an open connection. Choose https.');
    const after: RegistrySettings = { ...rest, upstream, passwordSealed, emptied: before.emptied };
    await writeRegistry(trx, proof, after, app.clock.now());
    await record(trx, caller, {
      action: 'platform.registry.update',
      targetKind: 'installation',
      target: 'image cache',
      before: shown(before),
      after: shown(after),
    });
  });
  app.services.nudge(KEEPER);
  return present(app);
}

/** Encrypted, or never on a wire. */
function mayCarrySecrets(upstream: string): boolean {
  const { protocol, hostname } = new URL(upstream);
  return protocol === 'https:' || /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** Errors: state_conflict when there is no cache. */
export async function emptyRegistry(app: AppContext, caller: Caller): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.registry.update');
  await transact(app.db, async (trx) => {
    const before = await readRegistry(trx);
    if (!before.enabled) throw new BerthError('state_conflict', 'The image cache is off.');
    await writeRegistry(trx, proof, { ...before, emptied: before.emptied + 1 }, app.clock.now());
    await record(trx, caller, { action: 'platform.registry.empty', targetKind: 'installation', target: 'image cache' });
  });
  app.services.nudge(KEEPER);
}

function field(name: string, message: string): BerthError {
  return new BerthError('invalid_input', message, { fields: [{ field: name, message }] });
}
