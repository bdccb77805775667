/** What the app layer works with; made once in main.ts and handed to every use case. */
import type { ServerConfig } from '#contract/config.ts';
import type { DnsProviders } from '#integrations/dns/interface.ts';
import type { IdentityClients } from '#integrations/identity/interface.ts';
import type { Clock, Ids } from '#server/runtime/clock.ts';
import type { Dns } from '#server/runtime/dns.ts';
import type { Log } from '#server/runtime/log.ts';
import type { Outbound } from '#server/runtime/outbound.ts';
import type { KeyRing } from '#server/runtime/secrets.ts';
import type { Db } from '#server/store/database.ts';
import type { Services } from '#server/workflows/services.ts';
import type { Changes } from './changes.ts';
import type { ControlGate } from './control-access.ts';
import type { KeptAnswers } from './kept-answers.ts';
import type { KeptRights } from './kept-rights.ts';
import type { LiveRates } from './rate-limits.ts';
import type { SigningKeys } from './signing-keys.ts';

export type AppContext = {
  db: Db;
  config: ServerConfig;
  clock: Clock;
  ids: Ids;
  log: Log;
  version: string;
  /** Speaks to identity providers. */
  identityClients: IdentityClients;
  /** Seals what must be readable again, such as the key of an authenticator app. */
  secrets: KeyRing;
  /** What signs tokens. */
  signingKeys: SigningKeys;
  /** The only way to call an address that somebody typed in. */
  outbound: Outbound;
  /** Changes zones at whoever serves them. */
  dnsProviders: DnsProviders;
  /** Asks the domain name system. */
  dns: Dns;
  /** What workflows work with: the driver, starting runs, waking reconcilers. */
  services: Services;
  /** What this replica may go on believing, for the two below. */
  changes: Changes;
  keptAnswers: KeptAnswers;
  keptRights: KeptRights;
  /** Limits on calls as they are in force now. */
  rates: LiveRates;
  /** From where console and API may be used. */
  controlGate: ControlGate;
};
