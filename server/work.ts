/** Starts what goes on working between requests: durable workflow runs, leadership, and the reconcilers. */
import type { Pool } from 'pg';
import type { ServerConfig } from '#contract/config.ts';
import type { InstanceDriver } from '#drivers/interface.ts';
import { acmeClient } from '#integrations/acme/client.ts';
import type { DnsProviders } from '#integrations/dns/interface.ts';
import type { IdentityClients } from '#integrations/identity/interface.ts';
import { smtpTransport } from '#integrations/smtp/smtp.ts';
import { archivePurger } from './reconcilers/archive-purger.ts';
import { auditKeeper } from './reconcilers/audit-keeper.ts';
import { backupKeeper } from './reconcilers/backup-keeper.ts';
import { certificateWatcher } from './reconcilers/certificate-watcher.ts';
import { dnsKeeper } from './reconcilers/dns-keeper.ts';
import { domainKeeper } from './reconcilers/domain-keeper.ts';
import { flowCollector } from './reconcilers/flow-collector.ts';
import { forwardKeeper } from './reconcilers/forward-keeper.ts';
import { type HealthPace, healthPace, healthWatcher } from './reconcilers/health-watcher.ts';
import { hostKeyKeeper } from './reconcilers/host-key-keeper.ts';
import { hostWatcher } from './reconcilers/host-watcher.ts';
import { identityChecker } from './reconcilers/identity-checker.ts';
import { imageKeeper } from './reconcilers/image-keeper.ts';
import { instanceWatcher, type WatcherPace, watcherPace } from './reconcilers/instance-watcher.ts';
import { type KeyPace, keyKeeper, keyPace } from './reconcilers/key-keeper.ts';
import { MAIL_SENDER_MS, mailSender } from './reconcilers/mail-sender.ts';
import { COLLECT_MS, metricCollector } from './reconcilers/metric-collector.ts';
import { metricKeeper } from './reconcilers/metric-keeper.ts';
import { operationStarter } from './reconcilers/operation-starter.ts';
import { policyKeeper } from './reconcilers/policy-keeper.ts';
import { quotaAuditor } from './reconcilers/quota-auditor.ts';
import { type ReconcilerRunner, type ReconcilerStatus, startReconcilers } from './reconcilers/reconciler.ts';
import { registryKeeper } from './reconcilers/registry-keeper.ts';
import { REPLICA_BEAT_MS, REPLICA_DEAD_MS, replicaKeeper } from './reconcilers/replica-keeper.ts';
import { runSweeper } from './reconcilers/run-sweeper.ts';
import { sshHostKeyWatcher } from './reconcilers/ssh-host-key-watcher.ts';
import { sshRecordingKeeper } from './reconcilers/ssh-recording-keeper.ts';
import { sshSessionKeeper } from './reconcilers/ssh-session-keeper.ts';
import { wildcardKeeper } from './reconcilers/wildcard-keeper.ts';
import type { Clock, Ids } from './runtime/clock.ts';
import type { Dns } from './runtime/dns.ts';
import { type Leadership, seekLeadership } from './runtime/leader.ts';
import type { Log } from './runtime/log.ts';
import type { KeyRing } from './runtime/secrets.ts';
import { type DurableRuns, launchDurableRuns } from './runtime/workflows.ts';
import type { Db } from './store/database.ts';
import { ensureHost } from './store/hosts.ts';
import { beat } from './store/replicas.ts';
import { dnsWork } from './workflows/dns-records.ts';
import { operationBody, type WrapRun } from './workflows/registry.ts';
import { defaultTiming, type Services, type Timing } from './workflows/services.ts';
import { noStopPoint, type StopPoint } from './workflows/stop-point.ts';
import type { WildcardWork } from './workflows/wildcard.ts';

/** How often reconcilers look; tests shorten it. */
export type WorkPace = {
  health: HealthPace;
  watcher: WatcherPace;
  replica: { beatMs: number; deadMs: number };
  /** How often waiting mails are looked for when nobody says that there are any. */
  mailMs: number;
  keys: KeyPace;
  /** How often hosts are asked for what they have measured. */
  metricsMs: number;
  /** How long the step records of ended runs are kept. */
  runsKeptMs?: number;
};
export const workPace: WorkPace = {
  health: healthPace,
  watcher: watcherPace,
  replica: { beatMs: REPLICA_BEAT_MS, deadMs: REPLICA_DEAD_MS },
  mailMs: MAIL_SENDER_MS,
  keys: keyPace,
  metricsMs: COLLECT_MS,
};

export type WorkOptions = {
  db: Db;
  /** Of the durable engine's own: see runtime/workflows.ts. */
  pool: Pool;
  config: Pick<ServerConfig, 'installation' | 'domain' | 'ports' | 'hostName' | 'buildImages' | 'ssh' | 'acme'>;
  driver: InstanceDriver;
  log: Log;
  clock: Clock;
  ids: Ids;
  secrets: KeyRing;
  identityClients: IdentityClients;
  dns: Dns;
  dnsProviders: DnsProviders;
  /** Closes a wildcard certificate so that edge alone can open it. */
  closeBundle(name: string, pem: string): string;
  /** The same after every restart, so that this replica finds its own unfinished runs at once. */
  replicaId: string;
  timing?: Partial<Timing> | undefined;
  pace?: Partial<WorkPace> | undefined;
  stopPoint?: StopPoint | undefined;
  /** Tests that make steps run twice. */
  wrapRun?: WrapRun | undefined;
  /** Leaves the reconcilers out: for tests that look at workflows alone. */
  withoutReconcilers?: boolean | undefined;
};

/** What wildcard certificates are made with, from what everything works with. */
export function wildcardWork(
  services: Services,
  options: Pick<WorkOptions, 'dnsProviders' | 'dns' | 'config' | 'closeBundle'>,
  acme: NonNullable<ServerConfig['acme']>,
): WildcardWork {
  const { log } = services;
  const parts = { directory: acme.directory, acme: acmeClient(acme), close: options.closeBundle, log };
  return { ...dnsWork(services, options), ...parts };
}

export type Work = { services: Services; reconcilers(): ReconcilerStatus[]; stop(): Promise<void> };

const STOP_MS_MAX = 2_000;

/** Errors: whatever the database says. The agent may be away: reconcilers keep asking. */
export async function startWork(options: WorkOptions): Promise<Work> {
  const { db, driver, log } = options;
  const pace = { ...workPace, ...options.pace };
  let runs: DurableRuns | null = null;
  let runner: ReconcilerRunner | null = null;
  let leadership: Leadership | null = null;
  let stopping = false;
  const services: Services = {
    db,
    driver,
    mail: smtpTransport(),
    secrets: options.secrets,
    log,
    domain: options.config.domain,
    hostName: options.config.hostName,
    timing: { ...defaultTiming, ...options.timing },
    now: () => options.clock.now().getTime(),
    random: (bytes) => options.ids.random(bytes),
    stopping: () => stopping,
    startRun: (operationId) => {
      // operation-starter starts what could not be started here.
      runs?.start(operationId).catch((error: unknown) => {
        log.error({ operationId, err: error }, 'a workflow run could not be started');
      });
    },
    nudge: (name) => runner?.nudge(name),
    stopPoint: options.stopPoint ?? noStopPoint,
  };

  await ensureHost(db, options.ids.make('hst'), options.config.hostName);
  // Seen living before its first run exists, so that no other replica takes that run for an orphan.
  await beat(db, options.replicaId);
  const durable = await launchDurableRuns({
    pool: options.pool,
    replicaId: options.replicaId,
    body: operationBody(services, options.wrapRun),
    log,
  });
  runs = durable;
  const follow = new AbortController();
  if (options.withoutReconcilers !== true) {
    const watcher = instanceWatcher(services, pace.watcher);
    leadership = seekLeadership(options.pool, log, (leads) => {
      if (!leads) return;
      for (const status of runner?.status() ?? []) runner?.nudge(status.name);
    });
    const leads = leadership;
    runner = startReconcilers(
      [
        hostWatcher(services),
        imageKeeper(services, options.config.buildImages),
        watcher,
        healthWatcher(services, pace.health),
        metricCollector(services, pace.metricsMs),
        metricKeeper(services),
        archivePurger(services),
        hostKeyKeeper(services),
        sshSessionKeeper(services),
        backupKeeper(services),
        sshHostKeyWatcher(services, options.config.ssh?.hostKeysFile ?? null),
        sshRecordingKeeper(services, options.config.ssh?.recordings ?? null),
        forwardKeeper(services),
        policyKeeper(services),
        registryKeeper(services),
        flowCollector(services),
        quotaAuditor(services),
        auditKeeper(services, options.secrets),
        operationStarter(services, durable),
        runSweeper(services, durable, pace.runsKeptMs),
        mailSender(services, pace.mailMs),
        keyKeeper(services, options.secrets, pace.keys),
        identityChecker(services, options.secrets, options.identityClients),
        domainKeeper(services, options.dns),
        dnsKeeper(dnsWork(services, options)),
        ...(options.config.acme === undefined
          ? []
          : [wildcardKeeper(wildcardWork(services, options, options.config.acme))]),
        certificateWatcher(services, options.config.ports.https),
        replicaKeeper(services, durable, options.replicaId, pace.replica),
      ],
      { log, isLeader: () => leads.isLeader(), now: services.now },
    );
    void watcher
      .follow(follow.signal, () => leads.isLeader())
      .catch((error: unknown) => {
        log.error({ err: error }, 'engine events are no longer followed');
      });
  }

  return {
    services,
    reconcilers: () => runner?.status() ?? [],
    async stop() {
      stopping = true;
      follow.abort();
      const reconcilersEnded = runner?.stop() ?? Promise.resolve();
      await Promise.race([reconcilersEnded, new Promise((resolve) => setTimeout(resolve, STOP_MS_MAX).unref())]);
      await leadership?.stop();
      await durable.stop();
    },
  };
}
