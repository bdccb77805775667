/**
 * Puts the control plane together, top to bottom, and takes it apart in reverse. main.ts gives it the real world,
 * testkit/server.ts a test database and the simulated driver.
 */
import { fileURLToPath } from 'node:url';
import { api } from '#contract/api.ts';
import type { ServerConfig } from '#contract/config.ts';
import { CountryDatabase } from '#contract/countries.ts';
import { closeBundle } from '#contract/wildcards.ts';
import type { InstanceDriver } from '#drivers/interface.ts';
import { type DnsWays, dnsProviders } from '#integrations/dns/providers.ts';
import { identityClients } from '#integrations/identity/clients.ts';
import { Changes } from './app/changes.ts';
import type { AppContext } from './app/context.ts';
import { ControlGate } from './app/control-access.ts';
import type { EventsContext } from './app/events.ts';
import { findPerson, limitedSignIn } from './app/identity.ts';
import { KeptAnswers } from './app/kept-answers.ts';
import { KeptRights } from './app/kept-rights.ts';
import type { OidcProvider } from './app/oidc-provider.ts';
import { LiveRates } from './app/rate-limits.ts';
import { renewIfAsked, takeRenewal } from './app/renewals.ts';
import { SigningKeys } from './app/signing-keys.ts';
import { registerAccount } from './http/account.ts';
import { registerAddressSets } from './http/address-sets.ts';
import { registerAudit } from './http/audit.ts';
import { registerBackups } from './http/backups.ts';
import { registerContainers } from './http/containers.ts';
import { registerData } from './http/data.ts';
import { registerDnsProviders } from './http/dns-providers.ts';
import { registerDocs } from './http/docs.ts';
import { registerDomains } from './http/domains.ts';
import { registerEgress } from './http/egress.ts';
import { registerEntries } from './http/entries.ts';
import { registerEvents } from './http/events.ts';
import { registerFactors } from './http/factors.ts';
import { registerFiles } from './http/files.ts';
import { registerFlows } from './http/flows.ts';
import { registerForwards } from './http/forwards.ts';
import { registerGrants } from './http/grants.ts';
import { registerGroups } from './http/groups.ts';
import { registerHosts } from './http/hosts.ts';
import { registerIdentity } from './http/identity.ts';
import { registerIdentityProviders } from './http/identity-providers.ts';
import { registerImages } from './http/images.ts';
import { registerInstances } from './http/instances.ts';
import { registerKeys } from './http/keys.ts';
import { Limits } from './http/limits.ts';
import { registerMail } from './http/mail.ts';
import { registerMembers } from './http/members.ts';
import { registerMetrics } from './http/metrics.ts';
import { registerOAuth } from './http/oauth.ts';
import { registerOidcClients } from './http/oidc-clients.ts';
import { registerOidcProvider } from './http/oidc-provider.ts';
import { registerOpenapi } from './http/openapi.ts';
import { registerOperations } from './http/operations.ts';
import { registerOrganizations } from './http/organizations.ts';
import { registerPlatform } from './http/platform.ts';
import { registerPlatformCertificate } from './http/platform-certificate.ts';
import { registerQuotas } from './http/quotas.ts';
import { registerRegistration } from './http/registration.ts';
import { registerRegistry } from './http/registry.ts';
import { registerRoutes } from './http/routes.ts';
import { registerSecurityGroups } from './http/security-groups.ts';
import { createHttp, type Http, type HttpOptions } from './http/server.ts';
import { registerServiceAccounts } from './http/service-accounts.ts';
import { registerSnapshots } from './http/snapshots.ts';
import { registerSshKeys } from './http/ssh-keys.ts';
import { registerSshRecordings } from './http/ssh-recordings.ts';
import { registerSshSessions } from './http/ssh-sessions.ts';
import { registerStacks } from './http/stacks.ts';
import { registerConsole } from './http/static.ts';
import { registerSystem } from './http/system.ts';
import { registerUsers } from './http/users.ts';
import { type Clock, type Ids, systemClock, systemIds } from './runtime/clock.ts';
import { createDns } from './runtime/dns.ts';
import type { Log } from './runtime/log.ts';
import { createOutbound } from './runtime/outbound.ts';
import { listenForNotifications, OutboxFeed } from './runtime/outbox-feed.ts';
import { warmPasswords } from './runtime/passwords.ts';
import { CallLimiter, digest, SHARE_MS } from './runtime/rate-limit.ts';
import { KeyRing } from './runtime/secrets.ts';
import { onHintsCommitted, openDatabase, openPool } from './store/database.ts';
import { isKnownAddress } from './store/known-addresses.ts';
import { migrate } from './store/migrate.ts';
import { notifyOutbox, outboxHead, readOutbox } from './store/outbox.ts';
import { addHit, removeHit, shareHits } from './store/rate-windows.ts';
import { allowedOrigins } from './store/settings.ts';
import { sweep } from './store/sweep.ts';
import { startWork, type Work, type WorkOptions } from './work.ts';
import { loadSealingKeys, openSealingKeys } from './workflows/sealing.ts';

export type ServerParts = {
  config: ServerConfig;
  /** Text of the master key file. */
  masterKey: string;
  /** Bytes of the key that edge has too. */
  edgeKey: Uint8Array;
  driver: InstanceDriver;
  log: Log;
  version: string;
  clock?: Clock;
  ids?: Ids;
  /** Tests that look at one half leave the other out. */
  startWork?: (options: WorkOptions) => Promise<Work>;
  /** Another address of Cloudflare's API. */
  cloudflareApi?: DnsWays['cloudflareApi'];
  /** How long a client may take to send a request. */
  slow?: HttpOptions['slow'];
  work?: Pick<WorkOptions, 'timing' | 'pace' | 'stopPoint' | 'wrapRun' | 'withoutReconcilers'>;
};

export type RunningServer = {
  app: AppContext & EventsContext;
  http: Http;
  stop(): Promise<void>;
};

/** Built pages of the documentation, beside this program. */
const DOCS_DIR = fileURLToPath(new URL('../docs/dist', import.meta.url));
const OPENAPI_FILE = fileURLToPath(new URL('../contract/openapi.json', import.meta.url));
const SWEEP_MS = 5 * 60_000;
/** How long a limit that an administrator changed may stay unknown on another replica. */
const RATES_RELOAD_MS = 3_000;
const WORK_CONNECTIONS_MAX = 8;

/** Everything but listening. Errors: the first thing that cannot start. */
export async function startServer(parts: ServerParts): Promise<RunningServer> {
  const { config, log, driver } = parts;
  const clock = parts.clock ?? systemClock;
  const ids = parts.ids ?? systemIds(clock);
  // Refuses to start without a usable key: what is sealed must stay readable.
  const secrets = new KeyRing(parts.masterKey);

  const applied = await migrate(config.database.url);
  if (applied.length > 0) log.info({ applied }, 'migrated the database');
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) {
      await step().catch((error: unknown) => log.warn({ err: error }, 'something did not stop cleanly'));
    }
  };

  try {
    const onError = (error: Error) => log.warn({ err: error }, 'a database connection broke');
    const pool = openPool(config.database.url, { onError });
    const workPool = openPool(config.database.url, { name: 'berth-work', max: WORK_CONNECTIONS_MAX, onError });
    stops.push(
      () => pool.end(),
      () => workPool.end(),
    );
    const db = openDatabase(pool);

    await openSealingKeys(db, secrets, clock.now());
    const signingKeys = new SigningKeys({ db, clock, ids, secrets });

    const feed = new OutboxFeed(
      { head: () => outboxHead(db), read: (cursor) => readOutbox(db, cursor), notify: (seq) => notifyOutbox(db, seq) },
      log,
    );
    await feed.start();
    stops.push(() => feed.stop());
    const readKeys = (): void => {
      signingKeys.forget();
      loadSealingKeys(db, secrets).catch((error: unknown) => log.warn({ err: error }, 'could not read the keys'));
    };
    const unsubscribe = feed.subscribe((rows) => {
      if (rows === null || rows.some((row) => row.kind === 'key')) readKeys();
    });
    stops.push(async () => unsubscribe());
    onHintsCommitted(db, () => feed.nudge());
    stops.push(listenForNotifications(config.database.url, feed, log));

    const rates = new LiveRates(db, config.rateLimits);
    const controlGate = new ControlGate(db, new CountryDatabase(config.countryFile));
    await Promise.all([rates.reload(), controlGate.reload()]);
    const calls = new CallLimiter(clock, (hits) => shareHits(db, hits));
    const away = (error: unknown) => log.debug({ err: error }, 'limits on calls go on with what is known here');
    const timers = [
      setInterval(() => void calls.share().catch(away), SHARE_MS),
      setInterval(() => void rates.reload().catch(away), RATES_RELOAD_MS),
      setInterval(() => void controlGate.reload().catch(away), RATES_RELOAD_MS),
    ];
    stops.push(async () => {
      for (const timer of timers) clearInterval(timer);
      await calls.share().catch(away);
    });

    const outbound = createOutbound({ allowed: () => allowedOrigins(db) });
    const dns = createDns(config.resolvers);
    const providers = dnsProviders({
      fetch: (url, init) => outbound.fetch(url, init),
      connect: (host, port) => outbound.connectNameServer(host, port),
      // Signatures say when; the other side has a clock of its own.
      now: Date.now,
      cloudflareApi: parts.cloudflareApi,
    });
    const clients = identityClients((url, init) => outbound.fetch(url, init));
    const work = await (parts.startWork ?? startWork)({
      db,
      pool: workPool,
      config,
      driver,
      log,
      clock,
      ids,
      secrets,
      identityClients: clients,
      dns,
      dnsProviders: providers,
      closeBundle: (name, pem) => closeBundle(parts.edgeKey, name, pem),
      replicaId: config.replica ?? config.hostName,
      ...parts.work,
    });
    stops.push(() => work.stop());

    const now = () => clock.now().getTime();
    const changes = new Changes(db, now);
    const app = {
      db,
      config,
      clock,
      ids,
      log,
      version: parts.version,
      secrets,
      outbound,
      dns,
      dnsProviders: providers,
      identityClients: clients,
      signingKeys,
      services: work.services,
      changes,
      keptAnswers: new KeptAnswers(changes),
      keptRights: new KeptRights(changes, now),
      rates,
      controlGate,
      feed,
    };
    const limits = new Limits({
      clock,
      rules: () => rates.rules,
      counter: { add: (hit) => addHit(db, hit), remove: (hit) => removeHit(db, hit) },
      calls,
      isKnownAddress: (email, block) => isKnownAddress(db, digest(email), digest(block)),
    });
    const http = await createHttp({
      log,
      clock,
      ...(parts.slow === undefined ? {} : { slow: parts.slow }),
      consoleOrigin: config.consoleOrigin,
      mayEnter: (address) => controlGate.mayEnter(address),
      limits,
      findPerson: (credential, origin) => findPerson(app, credential, origin),
      signInLimited: (caller, call, email) => limitedSignIn(app, caller, call, email),
      renewIfAsked: (person) => renewIfAsked(app, person),
      takeRenewal,
    });
    stops.push(() => http.fastify.close());
    registerIdentity(http, app);
    registerAccount(http, app);
    registerRegistration(http, app);
    registerSshKeys(http, app);
    registerFactors(http, app);
    registerOAuth(http, app);
    registerIdentityProviders(http, app);
    let provider: Promise<OidcProvider> | null = null;
    const oidcProvider = () => {
      provider ??= import('./app/oidc-provider.ts').then((module) => new module.OidcProvider(app));
      return provider;
    };
    registerOidcClients(http, app, oidcProvider);
    await registerOidcProvider(http, app, oidcProvider, { limits, log });
    registerMembers(http, app);
    registerOrganizations(http, app);
    registerGroups(http, app);
    registerServiceAccounts(http, app);
    registerGrants(http, app);
    registerEntries(http, app);
    registerQuotas(http, app);
    registerPlatform(http, app);
    registerInstances(http, app);
    registerSnapshots(http, app);
    registerRoutes(http, app);
    registerFiles(http, app);
    registerFlows(http, app);
    registerAddressSets(http, app);
    registerStacks(http, app);
    registerContainers(http, app);
    registerSshSessions(http, app);
    registerSshRecordings(http, app);
    registerDomains(http, app);
    registerDnsProviders(http, app);
    registerPlatformCertificate(http, app);
    registerForwards(http, app);
    registerBackups(http, app);
    registerSecurityGroups(http, app);
    registerEgress(http, app);
    registerOperations(http, app);
    registerImages(http, app);
    registerHosts(http, app);
    registerMetrics(http, app);
    registerKeys(http, app);
    registerAudit(http, app);
    registerEvents(http, app);
    registerUsers(http, app);
    registerMail(http, app);
    registerRegistry(http, app);
    registerData(http, app);
    registerSystem(http, app, {
      database: () => pool.query('select 1'),
      agent: () => driver.host(),
    });
    await registerOpenapi(http, OPENAPI_FILE);
    registerDocs(http, DOCS_DIR, config.consoleOrigin, log);
    await registerConsole(http, config.consoleDir, config.consoleOrigin, log);
    const missing = Object.values(api).filter((route) => !http.registered.has(route.id));
    if (missing.length > 0) log.warn({ routes: missing.map((route) => route.id) }, 'endpoints without a handler');

    const sweeper = setInterval(() => {
      sweep(db, clock.now()).catch((error: unknown) => log.warn({ err: error }, 'could not sweep'));
    }, SWEEP_MS);
    sweeper.unref();
    stops.push(async () => clearInterval(sweeper));
    await warmPasswords();
    await http.fastify.ready();
    return { app, http, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
