/** docs/reference/limits.md: every bound a person can meet, taken from the constant that enforces it. */
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from '#contract/common.ts';
import { TERMINAL_DETACHED_SECONDS_MAX, TERMINAL_SCROLLBACK_BYTES_MAX } from '#contract/edge.ts';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { CODE_USES_MAX } from '#contract/registration.ts';
import { HOST_NUMBER_MAX, HOST_NUMBER_MIN } from '#domain/addresses.ts';
import {
  AUDIT_HEAD_ENTRIES,
  AUDIT_HEAD_MINUTES,
  AUDIT_RETENTION_DAYS_DEFAULT,
  AUDIT_RETENTION_DAYS_MAX,
  AUDIT_RETENTION_DAYS_MIN,
} from '#domain/audit.ts';
import {
  BACKUP_FREE_BYTES_MIN,
  BACKUP_SECONDS_MAX,
  BACKUPS_AT_ONCE_MAX,
  BACKUPS_PER_INSTANCE_MAX,
} from '#domain/backups.ts';
import { CONTROL_NETWORKS_MAX } from '#domain/control-access.ts';
import { DNS_LOOK_MINUTES, DNS_PROVIDERS_MAX, DNS_ZONES_MAX } from '#domain/dns.ts';
import {
  DOMAIN_CHECK_HOURS,
  DOMAIN_CLAIM_DAYS,
  DOMAIN_GRACE_DAYS,
  DOMAIN_PENDING_MINUTES,
  DOMAINS_PER_PROJECT_MAX,
} from '#domain/domains.ts';
import { REPAIR_ATTEMPTS_MAX } from '#domain/drift.ts';
import {
  CONFIRMATION_MINUTES,
  PASSKEY_CHALLENGE_MINUTES,
  PASSKEYS_PER_USER_MAX,
  RECOVERY_CODES,
  SIGN_IN_ATTEMPTS_MAX,
  SIGN_IN_MINUTES,
  TOTP_ENROL_MINUTES,
} from '#domain/factors.ts';
import {
  ARCHIVE_BYTES_MAX,
  ARCHIVE_DOWNLOADS_MAX,
  ARCHIVE_DOWNLOADS_PER_PERSON_MAX,
  ARCHIVE_ENTRIES_MAX,
  ARCHIVE_NAMES_MAX,
  ARCHIVE_RUNS_PER_INSTANCE_MAX,
  ARCHIVE_TOP_ENTRIES_MAX,
} from '#domain/file-archives.ts';
import {
  FILE_BYTES_MAX,
  FILE_EDITED_BYTES_MAX,
  FILE_NAME_BYTES_MAX,
  FILE_PART_BYTES_MAX,
  FILE_PATH_BYTES_MAX,
  FILES_LISTED_MAX,
  FILES_REMOVED_MAX,
} from '#domain/files.ts';
import {
  FLOW_DAYS_KEPT,
  FLOW_NEW_BURST,
  FLOW_NEW_PER_SECOND_MAX,
  FLOWS_PER_HOUR_MAX,
  FLOWS_PER_INSTANCE_MAX,
} from '#domain/flows.ts';
import { FORWARD_PORTS_MAX, FORWARDS_PER_INSTANCE_MAX } from '#domain/forwards.ts';
import { GUEST_RUN_MINUTES_MAX, GUEST_RUN_STOP_SECONDS } from '#domain/guest-runs.ts';
import {
  GROUPS_MAX,
  LOGOUT_TOKEN_MINUTES,
  OIDC_CLIENTS_MAX,
  OUTSIDE_SIGN_IN_MINUTES,
  PROVIDERS_MAX,
  REDIRECT_URIS_MAX,
} from '#domain/identity-providers.ts';
import { ARCHIVE_DAYS, ROUTES_PER_INSTANCE_MAX, SNAPSHOTS_PER_INSTANCE_MAX } from '#domain/instances.ts';
import {
  EMAIL_CHANGE_HOURS,
  MAIL_ATTEMPTS_MAX,
  PASSWORD_RESET_MINUTES,
  PASSWORD_RESETS_MAX,
  REGISTRATION_HOURS,
} from '#domain/mails.ts';
import { NAME_LENGTH_MAX, TITLE_LENGTH_MAX } from '#domain/names.ts';
import {
  ADDRESS_SETS_PER_PROJECT_MAX,
  GROUPS_PER_RULE_MAX,
  NAMES_PER_RULE_MAX,
  PORTS_PER_RULE_MAX,
  RANGES_PER_RULE_MAX,
  RULES_FROM_GROUPS_MAX,
  RULES_PER_EGRESS_POLICY_MAX,
  RULES_PER_GROUP_MAX,
  SECURITY_GROUPS_PER_INSTANCE_MAX,
  SECURITY_GROUPS_PER_PROJECT_MAX,
  SETS_PER_RULE_MAX,
} from '#domain/network-rules.ts';
import { PICTURE_BYTES_MAX, PICTURE_SIDE_MAX } from '#domain/profiles.ts';
import {
  countsBytes,
  defaultOrganizationQuota,
  defaultQuota,
  type QuotaResource,
  quotaResources,
  quotaTitles,
} from '#domain/quotas.ts';
import { rateLimitNames, rateLimits, SIGN_IN_FREE_ATTEMPTS, SIGN_IN_WAIT_SECONDS_MAX } from '#domain/rate-limits.ts';
import { ADDRESSES_PER_NAME_RULE_MAX, DNS_QUESTIONS_PER_SECOND_MAX } from '#domain/resolver.ts';
import {
  ROUTE_HEADERS_MAX,
  ROUTE_NETWORKS_MAX,
  ROUTE_PASSWORD_LENGTH_MIN,
  ROUTE_PATH_LENGTH_MAX,
  routeBodyLimits,
} from '#domain/route-rules.ts';
import {
  SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX,
  SERVICE_TOKEN_DAYS_MAX,
  SERVICE_TOKENS_MAX,
} from '#domain/service-accounts.ts';
import {
  ACCESS_TOKEN_MINUTES,
  CLIENT_SESSION_DAYS,
  DEVICE_LOGIN_MINUTES,
  REFRESH_TOKEN_DAYS,
  SESSION_IDLE_MINUTES,
} from '#domain/sessions.ts';
import { PROCESSES_MAX, sizeBounds, sizePresets } from '#domain/sizes.ts';
import {
  SSH_ALONE_SECONDS_MAX,
  SSH_ATTEMPTS_MAX,
  SSH_CHANNELS_MAX,
  SSH_KEYS_PER_USER_MAX,
  SSH_LOGIN_SECONDS_MAX,
  SSH_PASSWORDS_MAX,
  SSH_REMOTE_FORWARDS_MAX,
  SSH_SESSION_DAYS,
  SSH_SESSIONS_MAX,
  SSH_SESSIONS_PER_INSTANCE_MAX,
  SSH_SESSIONS_PER_USER_MAX,
  SSH_WAITING_MAX,
  SSH_WAITING_PER_ADDRESS_MAX,
} from '#domain/ssh.ts';
import {
  SSH_RECORDING_BYTES_MAX,
  SSH_RECORDING_DAYS_DEFAULT,
  SSH_RECORDING_DAYS_MAX,
  SSH_RECORDING_HOURS_MAX,
  SSH_RECORDINGS_BYTES_MAX,
  SSH_RECORDINGS_FREE_BYTES_MIN,
} from '#domain/ssh-recordings.ts';
import { CONTAINERS_LISTED_MAX, STACK_TEXT_BYTES_MAX, STACKS_LISTED_MAX } from '#domain/stacks.ts';
import { BASIC_FAILURES_MAX } from '#edge/basic-auth.ts';
import { BRIDGED_IDLE_MINUTES, BRIDGED_MAX, BRIDGED_PER_INSTANCE_MAX, BRIDGED_PER_USER_MAX } from '#edge/bridge.ts';
import { CONNECTIONS_PER_INSTANCE_MAX, CONNECTIONS_PER_USER_MAX } from '#edge/doors.ts';
import { LINES_MAX } from '#edge/lines.ts';
import { CUT_TEXT_BYTES_MAX } from '#edge/rfb/client-messages.ts';
import { KNOWLEDGE_AGE_MS_MAX } from '#edge/snapshot.ts';
import { TERMINALS_PER_INSTANCE_MAX, TERMINALS_PER_USER_MAX } from '#edge/terminal.ts';
import { STREAMS_PER_PERSON_MAX } from '#server/app/events.ts';
import { TOTP_ATTEMPTS } from '#server/app/factor-proofs.ts';
import { SESSION_HOURS } from '#server/app/identity.ts';
import { INVITATION_DAYS } from '#server/app/members.ts';
import { TOKEN_SECONDS } from '#server/app/oidc-provider.ts';
import { BODY_BYTES_MAX } from '#server/http/server.ts';
import { INVITATIONS_OPEN_MAX } from '#server/store/members.ts';
import { PROJECTS_PER_ORGANIZATION_MAX } from '#server/store/organizations.ts';
import { IDEMPOTENCY_HOURS, KNOWN_ADDRESS_DAYS, MAIL_DAYS } from '#server/store/sweep.ts';
import { TOKENS_PER_USER_MAX } from '#server/store/tokens.ts';
import { STEP_ATTEMPTS_MAX } from '#server/workflows/engine.ts';

function bytes(value: number): string {
  for (const [unit, size] of [
    ['TiB', 1024 ** 4],
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (value >= size && value % size === 0) return `${value / size} ${unit}`;
  }
  return `${value} bytes`;
}

type Row = readonly [what: string, bound: string, name: string];

function table(rows: readonly Row[]): string {
  const lines = rows.map(([what, bound, name]) => `| ${what} | ${bound} | \`${name}\` |`);
  return ['| What | Bound | Name in the source |', '|---|---|---|', ...lines].join('\n');
}

function quotaFigure(resource: QuotaResource, value: number): string {
  return countsBytes(resource) ? bytes(value) : String(value);
}

function duration(seconds: number): string {
  if (seconds === 3600) return 'an hour';
  return seconds === 60 ? 'a minute' : `${seconds / 60} minutes`;
}

/** The text below the generated-file comment. */
export function limitsPage(): string {
  return `# Limits

Everything in Berth is bounded, and every bound has a name. What a limit refuses is answered with a clear [error](errors.md) and changes nothing.

## Instances

${table([
  ['Length of a name', `${NAME_LENGTH_MAX} characters`, 'NAME_LENGTH_MAX'],
  ['Length of a title', `${TITLE_LENGTH_MAX} characters`, 'TITLE_LENGTH_MAX'],
  ['CPUs', `${sizeBounds.cpus.min} to ${sizeBounds.cpus.max}`, 'sizeBounds.cpus'],
  ['Memory', `${bytes(sizeBounds.memoryBytes.min)} to ${bytes(sizeBounds.memoryBytes.max)}`, 'sizeBounds.memoryBytes'],
  ['Disk', `${bytes(sizeBounds.diskBytes.min)} to ${bytes(sizeBounds.diskBytes.max)}`, 'sizeBounds.diskBytes'],
  ['Processes in one instance', String(PROCESSES_MAX), 'PROCESSES_MAX'],
  ['Snapshots of one instance', String(SNAPSHOTS_PER_INSTANCE_MAX), 'SNAPSHOTS_PER_INSTANCE_MAX'],
  ['Bytes of a path, of a name in it', `${FILE_PATH_BYTES_MAX}, ${FILE_NAME_BYTES_MAX}`, 'FILE_PATH_BYTES_MAX'],
  ['Files of a folder that are listed', String(FILES_LISTED_MAX), 'FILES_LISTED_MAX'],
  ['Files that one call removes', String(FILES_REMOVED_MAX), 'FILES_REMOVED_MAX'],
  ['Stacks of a server that are listed', String(STACKS_LISTED_MAX), 'STACKS_LISTED_MAX'],
  ['Containers of a server that are listed', String(CONTAINERS_LISTED_MAX), 'CONTAINERS_LISTED_MAX'],
  ['A compose file', `${STACK_TEXT_BYTES_MAX / 1024} KiB`, 'STACK_TEXT_BYTES_MAX'],
  ['Entries chosen for one archive', String(ARCHIVE_NAMES_MAX), 'ARCHIVE_NAMES_MAX'],
  ['Files in a downloaded archive', String(ARCHIVE_ENTRIES_MAX), 'ARCHIVE_ENTRIES_MAX'],
  ['What a downloaded archive holds', bytes(ARCHIVE_BYTES_MAX), 'ARCHIVE_BYTES_MAX'],
  [
    'Archives downloaded at once, by one person and by all',
    `${ARCHIVE_DOWNLOADS_PER_PERSON_MAX}, ${ARCHIVE_DOWNLOADS_MAX}`,
    'ARCHIVE_DOWNLOADS_MAX',
  ],
  [
    'Archives packed or unpacked in one instance at once',
    String(ARCHIVE_RUNS_PER_INSTANCE_MAX),
    'ARCHIVE_RUNS_PER_INSTANCE_MAX',
  ],
  [
    'Entries unpacked side by side into a folder that is there',
    String(ARCHIVE_TOP_ENTRIES_MAX),
    'ARCHIVE_TOP_ENTRIES_MAX',
  ],
  ['A command on a stack or an archive', `${GUEST_RUN_MINUTES_MAX} minutes`, 'GUEST_RUN_MINUTES_MAX'],
  ['Until a command that is stopped is killed', `${GUEST_RUN_STOP_SECONDS} seconds`, 'GUEST_RUN_STOP_SECONDS'],
  ['A part of an upload', `${FILE_PART_BYTES_MAX / 1024 ** 2} MiB`, 'FILE_PART_BYTES_MAX'],
  ['An uploaded file', `${FILE_BYTES_MAX / 1024 ** 3} GiB`, 'FILE_BYTES_MAX'],
  ['A file that is edited in the console', `${FILE_EDITED_BYTES_MAX / 1024 ** 2} MiB`, 'FILE_EDITED_BYTES_MAX'],
  ['Security groups of one project', String(SECURITY_GROUPS_PER_PROJECT_MAX), 'SECURITY_GROUPS_PER_PROJECT_MAX'],
  ['Security groups of one instance', String(SECURITY_GROUPS_PER_INSTANCE_MAX), 'SECURITY_GROUPS_PER_INSTANCE_MAX'],
  ['Rules of one security group', String(RULES_PER_GROUP_MAX), 'RULES_PER_GROUP_MAX'],
  ["Rules of a project's egress policy", String(RULES_PER_EGRESS_POLICY_MAX), 'RULES_PER_EGRESS_POLICY_MAX'],
  ['Address ranges of one rule', String(RANGES_PER_RULE_MAX), 'RANGES_PER_RULE_MAX'],
  ['Ports or spans of one rule', String(PORTS_PER_RULE_MAX), 'PORTS_PER_RULE_MAX'],
  ['Domain names of one rule', String(NAMES_PER_RULE_MAX), 'NAMES_PER_RULE_MAX'],
  [
    'Addresses behind the names of one rule, in each family',
    String(ADDRESSES_PER_NAME_RULE_MAX),
    'ADDRESSES_PER_NAME_RULE_MAX',
  ],
  [
    'Questions to the resolver of one instance',
    `${DNS_QUESTIONS_PER_SECOND_MAX} a second`,
    'DNS_QUESTIONS_PER_SECOND_MAX',
  ],
  ['Days that what left instances is kept', String(FLOW_DAYS_KEPT), 'FLOW_DAYS_KEPT'],
  ['Destinations kept of one instance and hour; the rest is one row', String(FLOWS_PER_HOUR_MAX), 'FLOWS_PER_HOUR_MAX'],
  ['Rows of what left one instance', String(FLOWS_PER_INSTANCE_MAX), 'FLOWS_PER_INSTANCE_MAX'],
  [
    'New destinations of one instance that are counted apart',
    `${FLOW_NEW_BURST} at once, then ${FLOW_NEW_PER_SECOND_MAX} a second`,
    'FLOW_NEW_BURST, FLOW_NEW_PER_SECOND_MAX',
  ],
  ['Address sets of one project', String(ADDRESS_SETS_PER_PROJECT_MAX), 'ADDRESS_SETS_PER_PROJECT_MAX'],
  ['Address sets of one rule', String(SETS_PER_RULE_MAX), 'SETS_PER_RULE_MAX'],
  ['Security groups that one rule names', String(GROUPS_PER_RULE_MAX), 'GROUPS_PER_RULE_MAX'],
  ['Rules of one security group that name groups', String(RULES_FROM_GROUPS_MAX), 'RULES_FROM_GROUPS_MAX'],
  ['Port forwards of one instance', String(FORWARDS_PER_INSTANCE_MAX), 'FORWARDS_PER_INSTANCE_MAX'],
  ['Ports in the pool for forwards', String(FORWARD_PORTS_MAX), 'FORWARD_PORTS_MAX'],
  ['Backups of one instance', String(BACKUPS_PER_INSTANCE_MAX), 'BACKUPS_PER_INSTANCE_MAX'],
  ['Backups that a host works on at the same time', String(BACKUPS_AT_ONCE_MAX), 'BACKUPS_AT_ONCE_MAX'],
  ['Hours that one backup may take', String(BACKUP_SECONDS_MAX / 3600), 'BACKUP_SECONDS_MAX'],
  ['Room that stays free where backups are kept', `${BACKUP_FREE_BYTES_MIN / 1024 ** 3} GiB`, 'BACKUP_FREE_BYTES_MIN'],
  ['Routes of one instance', String(ROUTES_PER_INSTANCE_MAX), 'ROUTES_PER_INSTANCE_MAX'],
  ['Days a deleted instance can be restored', String(ARCHIVE_DAYS), 'ARCHIVE_DAYS'],
  [
    'Instances in one project network',
    String(HOST_NUMBER_MAX - HOST_NUMBER_MIN + 1),
    'HOST_NUMBER_MIN, HOST_NUMBER_MAX',
  ],
  ['Attempts to repair drift before a person is needed', String(REPAIR_ATTEMPTS_MAX), 'REPAIR_ATTEMPTS_MAX'],
  ['Attempts of one step of an operation', String(STEP_ATTEMPTS_MAX), 'STEP_ATTEMPTS_MAX'],
])}

## Domains and routes

${table([
  ['DNS providers of the installation, and of one organization', String(DNS_PROVIDERS_MAX), 'DNS_PROVIDERS_MAX'],
  ['Zones of one DNS provider', String(DNS_ZONES_MAX), 'DNS_ZONES_MAX'],
  ['How often a DNS record is looked at', `${DNS_LOOK_MINUTES} minutes`, 'DNS_LOOK_MINUTES'],
  ['Domains of one project', String(DOMAINS_PER_PROJECT_MAX), 'DOMAINS_PER_PROJECT_MAX'],
  ['Days a claim may stay unproven', String(DOMAIN_CLAIM_DAYS), 'DOMAIN_CLAIM_DAYS'],
  ['Days a proof may be missing before routes stop', String(DOMAIN_GRACE_DAYS), 'DOMAIN_GRACE_DAYS'],
  ['A claim is looked at every', `${DOMAIN_PENDING_MINUTES} minute at first`, 'DOMAIN_PENDING_MINUTES'],
  ['A proven domain is looked at every', `${DOMAIN_CHECK_HOURS} hours`, 'DOMAIN_CHECK_HOURS'],
  ['Length of a path of a route', `${ROUTE_PATH_LENGTH_MAX} characters`, 'ROUTE_PATH_LENGTH_MAX'],
  ['Networks of an allow-list', String(ROUTE_NETWORKS_MAX), 'ROUTE_NETWORKS_MAX'],
  ['Header rules, each way', String(ROUTE_HEADERS_MAX), 'ROUTE_HEADERS_MAX'],
  ['Body limits to choose from', routeBodyLimits.map((size) => `${size / 1_000_000} MB`).join(', '), 'routeBodyLimits'],
  ['Networks that the control plane may be limited to', String(CONTROL_NETWORKS_MAX), 'CONTROL_NETWORKS_MAX'],
  ['Shortest password of a route', `${ROUTE_PASSWORD_LENGTH_MIN} characters`, 'ROUTE_PASSWORD_LENGTH_MIN'],
  ['Wrong passwords of one address to one route in a minute', String(BASIC_FAILURES_MAX), 'BASIC_FAILURES_MAX'],
])}

### Size presets

| Preset | CPUs | Memory | Disk | For |
|---|---|---|---|---|
${sizePresets.map((preset) => `| \`${preset.name}\` | ${preset.cpus} | ${bytes(preset.memoryBytes)} | ${bytes(preset.diskBytes)} | ${preset.kinds.join(', ')} |`).join('\n')}

### Quotas

| Resource | A new project | All projects of a new organization together |
|---|---|---|
${quotaResources.map((name) => `| ${quotaTitles[name]} | ${quotaFigure(name, defaultQuota[name])} | ${quotaFigure(name, defaultOrganizationQuota[name])} |`).join('\n')}

Both hold at every create: the project's limit and the organization's. Administrators of the installation set an organization's (\`berth quotas set organization\`), administrators of the organization those of its projects (\`berth quotas set\`), each up to the organization's. A limit below what is used blocks what is new and harms nothing that runs.

## People

${table([
  [
    'Length of a password',
    `${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`,
    'PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX',
  ],
  ['Life of a browser session', `${SESSION_HOURS} hours`, 'SESSION_HOURS'],
  ['The same, without use', `${SESSION_IDLE_MINUTES / 60} hours`, 'SESSION_IDLE_MINUTES'],
  ['Life of the sign-in of a program', `${CLIENT_SESSION_DAYS} days`, 'CLIENT_SESSION_DAYS'],
  ['The same, without use', `${REFRESH_TOKEN_DAYS} days`, 'REFRESH_TOKEN_DAYS'],
  ['Life of an access token', `${ACCESS_TOKEN_MINUTES} minutes`, 'ACCESS_TOKEN_MINUTES'],
  ['Time to confirm the code of a program', `${DEVICE_LOGIN_MINUTES} minutes`, 'DEVICE_LOGIN_MINUTES'],
  ['Time at an identity provider', `${OUTSIDE_SIGN_IN_MINUTES} minutes`, 'OUTSIDE_SIGN_IN_MINUTES'],
  ['Identity providers', String(PROVIDERS_MAX), 'PROVIDERS_MAX'],
  ['Groups of a person that are looked at', String(GROUPS_MAX), 'GROUPS_MAX'],
  ['Age of a logout token', `${LOGOUT_TOKEN_MINUTES} minutes`, 'LOGOUT_TOKEN_MINUTES'],
  ['Apps that sign in with Berth', String(OIDC_CLIENTS_MAX), 'OIDC_CLIENTS_MAX'],
  ['Redirect addresses of an app', String(REDIRECT_URIS_MAX), 'REDIRECT_URIS_MAX'],
  ['Life of an access token of an app', `${TOKEN_SECONDS / 60} minutes`, 'TOKEN_SECONDS'],
  ['Life of an invitation', `${INVITATION_DAYS} days`, 'INVITATION_DAYS'],
  ['Life of a link to a new password', `${PASSWORD_RESET_MINUTES} minutes`, 'PASSWORD_RESET_MINUTES'],
  ['Such links for one account in that time', String(PASSWORD_RESETS_MAX), 'PASSWORD_RESETS_MAX'],
  ['Life of a registration link', `${REGISTRATION_HOURS} hours`, 'REGISTRATION_HOURS'],
  ['Life of a change of address', `${EMAIL_CHANGE_HOURS} hours`, 'EMAIL_CHANGE_HOURS'],
  ['Uses of a registration code', String(CODE_USES_MAX), 'CODE_USES_MAX'],
  [
    'Picture of a person',
    `${bytes(PICTURE_BYTES_MAX)}, ${PICTURE_SIDE_MAX} by ${PICTURE_SIDE_MAX} pixels`,
    'PICTURE_BYTES_MAX, PICTURE_SIDE_MAX',
  ],
  ['Attempts to send a mail', String(MAIL_ATTEMPTS_MAX), 'MAIL_ATTEMPTS_MAX'],
  ['How long is shown what became of a mail', `${MAIL_DAYS} days`, 'MAIL_DAYS'],
  ['Open invitations of an organization', String(INVITATIONS_OPEN_MAX), 'INVITATIONS_OPEN_MAX'],
  ['API tokens of a person', String(TOKENS_PER_USER_MAX), 'TOKENS_PER_USER_MAX'],
  ['SSH keys of a person', String(SSH_KEYS_PER_USER_MAX), 'SSH_KEYS_PER_USER_MAX'],
  [
    'Service accounts of an organization',
    String(SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX),
    'SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX',
  ],
  ['Tokens of a service account', String(SERVICE_TOKENS_MAX), 'SERVICE_TOKENS_MAX'],
  ['Life of such a token', `up to ${SERVICE_TOKEN_DAYS_MAX} days`, 'SERVICE_TOKEN_DAYS_MAX'],
  ['Time between the two steps of signing in', `${SIGN_IN_MINUTES} minutes`, 'SIGN_IN_MINUTES'],
  ['Wrong answers to one second step', String(SIGN_IN_ATTEMPTS_MAX), 'SIGN_IN_ATTEMPTS_MAX'],
  [
    'Wrong codes of an authenticator app, for an account',
    `${TOTP_ATTEMPTS.limit} in ${duration(TOTP_ATTEMPTS.windowSeconds)}`,
    'TOTP_ATTEMPTS',
  ],
  ['Time to set up an authenticator app', `${TOTP_ENROL_MINUTES} minutes`, 'TOTP_ENROL_MINUTES'],
  ['Recovery codes', String(RECOVERY_CODES), 'RECOVERY_CODES'],
  ['Passkeys of a person', String(PASSKEYS_PER_USER_MAX), 'PASSKEYS_PER_USER_MAX'],
  ['A challenge of a passkey', `${PASSKEY_CHALLENGE_MINUTES} minutes`, 'PASSKEY_CHALLENGE_MINUTES'],
  ['A confirmation before something dangerous', `${CONFIRMATION_MINUTES} minutes`, 'CONFIRMATION_MINUTES'],
  ['Projects of an organization', String(PROJECTS_PER_ORGANIZATION_MAX), 'PROJECTS_PER_ORGANIZATION_MAX'],
])}

## API

${table([
  [
    'Body of a request',
    `${bytes(BODY_BYTES_MAX.api)}; ${bytes(BODY_BYTES_MAX.provisioning)} to create, ${bytes(BODY_BYTES_MAX['sign-in'])} to sign in, ${bytes(BODY_BYTES_MAX.mail)} to ask for a mail`,
    'BODY_BYTES_MAX',
  ],
  ['Rows of a page', `${PAGE_SIZE_MAX} (${PAGE_SIZE_DEFAULT} unless asked)`, 'PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT'],
  ['Event streams of a person', String(STREAMS_PER_PERSON_MAX), 'STREAMS_PER_PERSON_MAX'],
  [
    'How long audit entries are kept',
    `${AUDIT_RETENTION_DAYS_DEFAULT} days, or ${AUDIT_RETENTION_DAYS_MIN} to ${AUDIT_RETENTION_DAYS_MAX}, or for ever`,
    'AUDIT_RETENTION_DAYS_DEFAULT',
  ],
  [
    'Audit entries until a head is signed',
    `${AUDIT_HEAD_ENTRIES}, or ${AUDIT_HEAD_MINUTES} minutes`,
    'AUDIT_HEAD_ENTRIES',
  ],
  ['How long an idempotency key is remembered', `${IDEMPOTENCY_HOURS} hours`, 'IDEMPOTENCY_HOURS'],
])}

### How often somebody may call

| What | Limit | In | Name |
|---|---|---|---|
${rateLimitNames.map((name) => `| ${rateLimits[name].title} | ${rateLimits[name].limit} | ${duration(rateLimits[name].windowSeconds)} | \`${name}\` |`).join('\n')}

Administrators of the installation change these while it runs: Limits in the console; \`berth rate-limits set\`; or \`PATCH /api/v1/platform/rate-limits\`. All replicas enforce one limit together.

- **Reading is counted apart from changing**, because the console reads a lot on its own (a page is about ten calls, and live hints fetch again what changed), while every change is something a person or a program decided to do. A person with the console open in several tabs stays far below the limit for reading.
- **Per account and per address.** An address is an IPv4 address or the /64 of an IPv6 address. Limits per address are wider: a school or an office has many people behind one. Nobody who is signed in is counted against somebody else's account.
- **Wrong passwords.** After ${SIGN_IN_FREE_ATTEMPTS} wrong answers each further attempt waits: 2, 4, 8 ... at most ${SIGN_IN_WAIT_SECONDS_MAX} seconds. The limit of an account covers all addresses it has not signed in from in the last ${KNOWN_ADDRESS_DAYS} days, together. From an address it has signed in from it has a count of its own, so strangers who guess cannot lock its owner out. What is right does not count. Accounts that do not exist behave alike.
- **Headers.** Answers carry \`RateLimit-Limit\`, \`RateLimit-Remaining\`, \`RateLimit-Reset\` (seconds) and \`RateLimit-Policy\` (\`100;w=60\`) of whichever limit is reached first. Beyond it the answer is 429 with \`Retry-After\` and \`retryAfterSeconds\` in the [problem](errors.md).

## SSH

${table([
  ['Time to sign in', `${SSH_LOGIN_SECONDS_MAX} seconds`, 'SSH_LOGIN_SECONDS_MAX'],
  ['Attempts of one connection, offered keys included', String(SSH_ATTEMPTS_MAX), 'SSH_ATTEMPTS_MAX'],
  ['Wrong passwords or codes of one connection', String(SSH_PASSWORDS_MAX), 'SSH_PASSWORDS_MAX'],
  [
    'Connections that nobody has signed in on: from one address, in all',
    `${SSH_WAITING_PER_ADDRESS_MAX}, ${SSH_WAITING_MAX}`,
    'SSH_WAITING_PER_ADDRESS_MAX, SSH_WAITING_MAX',
  ],
  [
    'Connections of a person, to one instance, in all',
    `${SSH_SESSIONS_PER_USER_MAX}, ${SSH_SESSIONS_PER_INSTANCE_MAX}, ${SSH_SESSIONS_MAX}`,
    'SSH_SESSIONS_PER_USER_MAX, SSH_SESSIONS_PER_INSTANCE_MAX, SSH_SESSIONS_MAX',
  ],
  [
    'Shells, transfers and forwarded connections at once, of one connection',
    String(SSH_CHANNELS_MAX),
    'SSH_CHANNELS_MAX',
  ],
  ['Ports of the server that one connection forwards', String(SSH_REMOTE_FORWARDS_MAX), 'SSH_REMOTE_FORWARDS_MAX'],
  ['How long connections go on while edge is away', `${SSH_ALONE_SECONDS_MAX} seconds`, 'SSH_ALONE_SECONDS_MAX'],
  ['How long ended connections are listed', `${SSH_SESSION_DAYS} days`, 'SSH_SESSION_DAYS'],
  [
    'One recording',
    `${bytes(SSH_RECORDING_BYTES_MAX)}, ${SSH_RECORDING_HOURS_MAX} hours`,
    'SSH_RECORDING_BYTES_MAX, SSH_RECORDING_HOURS_MAX',
  ],
  ['All recordings of an organization', bytes(SSH_RECORDINGS_BYTES_MAX), 'SSH_RECORDINGS_BYTES_MAX'],
  ['What recordings leave free on the disk', bytes(SSH_RECORDINGS_FREE_BYTES_MIN), 'SSH_RECORDINGS_FREE_BYTES_MIN'],
  [
    'How long recordings are kept',
    `${SSH_RECORDING_DAYS_DEFAULT} days, at most ${SSH_RECORDING_DAYS_MAX}`,
    'SSH_RECORDING_DAYS_DEFAULT, SSH_RECORDING_DAYS_MAX',
  ],
])}

Of too many connections that nobody has signed in on, one goes from the address that has the most: nobody is kept out by another address. It is one that has said nothing where there is one, else one that has not agreed on keys, and of those the oldest: nobody's log-in is pushed out by silent ones, not even from the own address.

## Screens and terminals

${table([
  ['Screens, terminals and followed logs of a person', String(CONNECTIONS_PER_USER_MAX), 'CONNECTIONS_PER_USER_MAX'],
  ['The same, to one instance', String(CONNECTIONS_PER_INSTANCE_MAX), 'CONNECTIONS_PER_INSTANCE_MAX'],
  ['Terminals of a person', String(TERMINALS_PER_USER_MAX), 'TERMINALS_PER_USER_MAX'],
  ['Terminals in one instance', String(TERMINALS_PER_INSTANCE_MAX), 'TERMINALS_PER_INSTANCE_MAX'],
  [
    'Scrollback kept for a terminal that is joined again',
    bytes(TERMINAL_SCROLLBACK_BYTES_MAX),
    'TERMINAL_SCROLLBACK_BYTES_MAX',
  ],
  [
    'How long a terminal nobody looks at lives on',
    `${TERMINAL_DETACHED_SECONDS_MAX / 60} minutes`,
    'TERMINAL_DETACHED_SECONDS_MAX',
  ],
  ['Clipboard text', bytes(CUT_TEXT_BYTES_MAX), 'CUT_TEXT_BYTES_MAX'],
  ['How long edge goes on without a database', `${KNOWLEDGE_AGE_MS_MAX / 3_600_000} hours`, 'KNOWLEDGE_AGE_MS_MAX'],
])}

## Connections through private addresses

WebSockets and event streams of apps that are open at the same time. Through public addresses they are not counted.

${table([
  ['To one instance', String(BRIDGED_PER_INSTANCE_MAX), 'BRIDGED_PER_INSTANCE_MAX'],
  ['Of one person', String(BRIDGED_PER_USER_MAX), 'BRIDGED_PER_USER_MAX'],
  ['Of all together', String(BRIDGED_MAX), 'BRIDGED_MAX'],
  ['Until one ends on which nothing happens', `${BRIDGED_IDLE_MINUTES} minutes`, 'BRIDGED_IDLE_MINUTES'],
  ['Of clients whose downloads and uploads are cut when the right to them ends', String(LINES_MAX), 'LINES_MAX'],
])}
`;
}
