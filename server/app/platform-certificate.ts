/** The wildcard certificate of the platform's own domain: wanted or not, and how it is. wildcard-keeper makes it. */
import type { PlatformCertificate } from '#contract/platform-certificate.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { PLATFORM_WILDCARD } from '#domain/wildcards.ts';
import { record } from '#server/store/audit.ts';
import { type Db, transact } from '#server/store/database.ts';
import { providersFor } from '#server/store/dns-providers.ts';
import { setPlatformWildcard, wildcardsOf } from '#server/store/wildcards.ts';
import { providerFor } from '#server/workflows/dns-records.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { presentWildcard, wildcardAbility } from './domains.ts';

async function present(app: Pick<AppContext, 'config'>, db: Db): Promise<PlatformCertificate> {
  const { domain } = app.config;
  const [zones, [wildcard]] = [await providersFor(db, null), await wildcardsOf(db, [PLATFORM_WILDCARD])];
  const place = providerFor(domain, null, zones);
  return {
    domain,
    dns:
      place === undefined
        ? null
        : { zone: place.zone, provider: zones.find((each) => each.id === place.provider)?.title ?? '' },
    wildcard: presentWildcard(wildcard),
    can: { wildcard: wildcard !== undefined || wildcardAbility(app.config, place) },
  };
}

export async function getPlatformCertificate(app: AppContext, caller: Caller): Promise<PlatformCertificate> {
  await authorizePlatform(app, caller, 'platform.dns.read');
  return present(app, app.db);
}

/** Errors: state_conflict (no provider, no authority). */
export async function updatePlatformCertificate(
  app: AppContext,
  caller: Caller,
  change: { wildcard: boolean },
): Promise<PlatformCertificate> {
  const proof = await authorizePlatform(app, caller, 'platform.dns.update');
  const changed = await transact(app.db, async (trx) => {
    const { domain, wildcard, can } = await present(app, trx);
    if (change.wildcard && can.wildcard !== true) throw new BerthError('state_conflict', can.wildcard);
    await setPlatformWildcard(trx, proof, change.wildcard ? domain : null, app.clock.now());
    await record(trx, caller, {
      action: 'platform.certificate.update',
      targetKind: 'installation',
      target: `*.${domain}`,
      before: { wildcard: wildcard !== null },
      after: change,
    });
    return present(app, trx);
  });
  app.services.nudge('wildcard-keeper');
  return changed;
}
