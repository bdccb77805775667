/** The administrator's list of private addresses that this server may call (see runtime/outbound.ts). */
import type { PersonCaller } from '#domain/caller.ts';
import { record } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { allowedOrigins, writeSetting } from '#server/store/settings.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

export async function readOutbound(app: AppContext, caller: PersonCaller): Promise<{ allowed: string[] }> {
  await authorizePlatform(app, caller, 'platform.settings.read');
  return { allowed: await allowedOrigins(app.db) };
}

export async function updateOutbound(
  app: AppContext,
  caller: PersonCaller,
  input: { allowed: string[] },
): Promise<{ allowed: string[] }> {
  const proof = await authorizePlatform(app, caller, 'platform.settings.update');
  const allowed = [...new Set(input.allowed)].sort();
  return transact(app.db, async (trx) => {
    const before = await allowedOrigins(trx);
    await writeSetting(trx, proof, 'outbound.allowed', allowed);
    await record(trx, caller, {
      action: 'platform.outbound.update',
      targetKind: 'setting',
      targetId: 'outbound.allowed',
      target: 'outbound calls',
      before: { allowed: before },
      after: { allowed },
    });
    return { allowed };
  });
}
