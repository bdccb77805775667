/**
 * The tables of db/migrations as Kysely types. A test compares them with the catalogue. Rows keep the database's
 * snake_case; mappers to domain objects live in the store file of each noun. One list, as long as the schema is.
 */
import type { ColumnType, Generated } from 'kysely';
import type { AuditSuccession, AuditTombstone } from '#domain/audit.ts';
import type { GrantPermission, Role, WorkingRole } from '#domain/authz.ts';
import type { BackupState, RepositoryState } from '#domain/backups.ts';
import type { DnsProviderKind, DnsProviderSettings, DnsRecordState, DnsType } from '#domain/dns.ts';
import type { DomainProof, DomainState } from '#domain/domains.ts';
import type { FlowProtocol, FlowVerdict } from '#domain/flows.ts';
import type { ForwardProtocol, ForwardState } from '#domain/forwards.ts';
import type { OidcAuthMethod, ProviderKind, Provisioning, RoleMapping } from '#domain/identity-providers.ts';
import type {
  AuditId,
  BackupId,
  BackupRepositoryId,
  DeviceLoginId,
  DnsProviderId,
  DnsRecordId,
  DomainId,
  EntryId,
  ForwardId,
  GrantId,
  GroupId,
  HostId,
  IdentityProviderId,
  ImageId,
  InstanceId,
  InvitationId,
  LinkedIdentityId,
  MailId,
  OidcClientId,
  OperationId,
  OrganizationId,
  OutsideSessionId,
  OutsideSignInId,
  PasskeyId,
  ProjectId,
  RegistrationCodeId,
  RegistrationId,
  RouteId,
  SecurityGroupId,
  SessionId,
  SignInId,
  SigningKeyId,
  SnapshotId,
  SshKeyId,
  SshRecordingId,
  SshSessionId,
  TokenId,
  UserId,
} from '#domain/ids.ts';
import type {
  DesiredState,
  HealthCheck,
  HealthState,
  InstanceKind,
  InstancePhase,
  ObservedState,
} from '#domain/instances.ts';
import type { MailKind, MailSecurity, MailState } from '#domain/mails.ts';
import type { NetworkRule, RuleAction } from '#domain/network-rules.ts';
import type { OperationKind, OperationState, StepState } from '#domain/operations.ts';
import type { PictureType, Theme } from '#domain/profiles.ts';
import type { RouteRules, RouteTarget } from '#domain/route-rules.ts';
import type { SshKeyType } from '#domain/ssh.ts';
import type { WildcardId } from '#domain/wildcards.ts';

/** A column with a default of now(); never written by us. */
type Stamp = ColumnType<Date, Date | undefined, never>;
/** jsonb: parsed on the way out, text on the way in (use `json()`). */
type Json<T> = ColumnType<T, string, string>;
type JsonDefault<T> = ColumnType<T, string | undefined, string>;
/** Written by the database from other columns. */
type Computed<T> = ColumnType<T, never, never>;
type Nullable<T> = ColumnType<T | null, T | null | undefined, T | null>;

/** Public half of an RSA key as a JSON Web Key. */
export type PublicJwk = { kty: string; n: string; e: string };

export type Tables = {
  organization: {
    id: OrganizationId;
    name: string;
    title: string;
    created_at: Stamp;
    second_factor_required: Generated<boolean>;
    /** Its row stays, because its audit log does. */
    deleted_at: Nullable<Date>;
  };
  project: {
    id: ProjectId;
    organization_id: OrganizationId;
    name: string;
    title: string;
    network_index: number;
    subnet4: string;
    subnet6: string;
    created_at: Stamp;
  };
  app_user: {
    id: UserId;
    email: string;
    name: string;
    password_hash: Nullable<string>;
    email_verified_at: Nullable<Date>;
    platform_admin: Generated<boolean>;
    created_at: Stamp;
    disabled_at: Nullable<Date>;
    second_factor: Generated<boolean>;
    deleted_at: Nullable<Date>;
    /** The organization of a service account; null for people. */
    service_of: Nullable<OrganizationId>;
  };
  service_account: {
    user_id: UserId;
    description: string;
    created_by: UserId;
  };
  profile: {
    user_id: UserId;
    language: string;
    time_zone: Nullable<string>;
    theme: Theme;
    avatar: Nullable<Buffer>;
    avatar_type: Nullable<PictureType>;
    avatar_hash: Nullable<string>;
  };
  email_change: {
    user_id: UserId;
    email: string;
    old_token_hash: Buffer;
    new_token_hash: Buffer;
    old_confirmed_at: Nullable<Date>;
    new_confirmed_at: Nullable<Date>;
    created_at: Date;
    expires_at: Date;
  };
  password_reset: {
    token_hash: Buffer;
    user_id: Nullable<UserId>;
    created_at: Date;
    expires_at: Date;
    used_at: Nullable<Date>;
  };
  registration_code: {
    id: RegistrationCodeId;
    code_hash: Buffer;
    prefix: string;
    note: string;
    organization_id: Nullable<OrganizationId>;
    role: Nullable<WorkingRole>;
    uses_max: number;
    uses: Generated<number>;
    created_by: UserId;
    created_at: Date;
    expires_at: Date;
    revoked_at: Nullable<Date>;
  };
  registration: {
    id: RegistrationId;
    email: Nullable<string>;
    token_hash: Buffer;
    code_id: Nullable<RegistrationCodeId>;
    created_at: Date;
    expires_at: Date;
  };
  mail_server: {
    id: string;
    host: string;
    port: number;
    security: MailSecurity;
    username: Nullable<string>;
    password_sealed: Nullable<string>;
    ca_certificate: Nullable<string>;
    from_address: string;
    from_name: string;
    updated_at: Date;
  };
  registry_cache: {
    id: string;
    enabled: boolean;
    upstream: string;
    username: Nullable<string>;
    password_sealed: Nullable<string>;
    ca_certificate: Nullable<string>;
    bytes_max: number;
    emptied: ColumnType<number, number | undefined, number>;
    updated_at: Date;
  };
  registry_status: {
    host_id: HostId;
    status: Json<unknown>;
    seen_at: Date;
  };
  mail: {
    id: MailId;
    kind: MailKind;
    recipient: string;
    user_id: Nullable<UserId>;
    organization_id: Nullable<OrganizationId>;
    about: Nullable<string>;
    shown_at: Nullable<Date>;
    subject: string;
    content_sealed: Nullable<string>;
    state: MailState;
    attempts: Generated<number>;
    next_at: Date;
    claimed_until: Nullable<Date>;
    error: Nullable<string>;
    created_at: Date;
    expires_at: Date;
    ended_at: Nullable<Date>;
  };
  membership: { organization_id: OrganizationId; user_id: UserId; role: Role; joined_at: Stamp };
  session: {
    id: SessionId;
    user_id: UserId;
    kind: Generated<'browser' | 'client'>;
    client: Nullable<string>;
    token_hash: Nullable<Buffer>;
    previous_hash: Nullable<Buffer>;
    previous_until: Nullable<Date>;
    renew: Generated<boolean>;
    idle_expires_at: Nullable<Date>;
    scopes: Nullable<string[]>;
    created_at: Stamp;
    last_seen_at: Generated<Date>;
    expires_at: Date;
    revoked_at: Nullable<Date>;
    address: string;
    user_agent: string;
    confirmed_at: Nullable<Date>;
  };
  api_token: {
    id: TokenId;
    user_id: UserId;
    name: string;
    prefix: string;
    token_hash: Buffer;
    created_at: Stamp;
    expires_at: Nullable<Date>;
    last_used_at: Nullable<Date>;
    last_used_address: Nullable<string>;
    revoked_at: Nullable<Date>;
    confirmed_at: Nullable<Date>;
    scopes: Nullable<string[]>;
  };
  ssh_key: {
    id: SshKeyId;
    user_id: UserId;
    label: string;
    type: SshKeyType;
    bits: number;
    public_key: string;
    fingerprint: string;
    created_at: Date;
    last_used_at: Nullable<Date>;
    last_used_address: Nullable<string>;
  };
  instance_host_key: {
    instance_id: InstanceId;
    public_keys: string[];
    pinned_at: Date;
    refused_key: Nullable<string>;
    refused_at: Nullable<Date>;
  };
  ssh_session: {
    id: SshSessionId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: InstanceId;
    user_id: UserId;
    method: 'key' | 'password';
    key_label: Nullable<string>;
    key_fingerprint: Nullable<string>;
    address: string;
    client: string;
    started_at: Date;
    seen_at: Date;
    bytes_in: Generated<number>;
    bytes_out: Generated<number>;
    end_requested_at: Nullable<Date>;
    end_requested_by: Nullable<UserId>;
    ended_at: Nullable<Date>;
    end_reason: Nullable<string>;
  };
  ssh_factor: {
    session_id: SshSessionId;
    user_id: UserId;
    passed_at: Date;
  };
  ssh_recording_policy: {
    organization_id: OrganizationId;
    enabled: Generated<boolean>;
    days: number;
    is_full: Generated<boolean>;
  };
  ssh_recorded_instance: {
    instance_id: InstanceId;
  };
  ssh_recording: {
    id: SshRecordingId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: InstanceId;
    user_id: UserId;
    session_id: SshSessionId;
    address: string;
    started_at: Date;
    milliseconds: Generated<number>;
    bytes: Generated<number>;
    sha256: Nullable<string>;
    ended_at: Nullable<Date>;
    end_reason: Nullable<string>;
    removed_at: Nullable<Date>;
  };
  refresh_token: {
    token_hash: Buffer;
    session_id: SessionId;
    created_at: Date;
    expires_at: Date;
    used_at: Nullable<Date>;
  };
  device_login: {
    id: DeviceLoginId;
    device_hash: Buffer;
    user_code: string;
    client: string;
    scopes: Nullable<string[]>;
    address: string;
    user_agent: string;
    state: Generated<'pending' | 'approved' | 'denied' | 'used'>;
    user_id: Nullable<UserId>;
    interval_seconds: number;
    polled_at: Nullable<Date>;
    created_at: Date;
    expires_at: Date;
    confirmed_at: Nullable<Date>;
  };
  sealing_key: {
    id: string;
    key_sealed: string;
    state: 'next' | 'current' | 'old';
    created_at: Date;
    changed_at: Date;
  };
  signing_key: {
    id: SigningKeyId;
    purpose: 'access' | 'identity';
    public_jwk: Json<PublicJwk>;
    private_sealed: string;
    created_at: Date;
    active_from: Date;
    expires_at: Nullable<Date>;
  };
  totp: {
    user_id: UserId;
    secret_sealed: string;
    created_at: Date;
    confirmed_at: Nullable<Date>;
    last_step: Nullable<number>;
  };
  recovery_code: { user_id: UserId; code_hash: Buffer; created_at: Date; used_at: Nullable<Date> };
  passkey: {
    id: PasskeyId;
    user_id: UserId;
    credential_id: string;
    public_key: Buffer;
    counter: number;
    transports: Json<string[]>;
    name: string;
    synced: boolean;
    created_at: Date;
    last_used_at: Nullable<Date>;
  };
  sign_in: {
    id: SignInId;
    purpose: 'factor' | 'passkey';
    token_hash: Buffer;
    user_id: Nullable<UserId>;
    method: string;
    user_agent: string;
    attempts: Generated<number>;
    created_at: Date;
    expires_at: Date;
    used_at: Nullable<Date>;
    outside_session_id: Nullable<OutsideSessionId>;
  };
  passkey_challenge: {
    challenge_hash: Buffer;
    purpose: 'register' | 'confirm' | 'factor' | 'passkey';
    sign_in_id: Nullable<SignInId>;
    user_id: Nullable<UserId>;
    created_at: Date;
    expires_at: Date;
  };
  identity_provider: {
    id: IdentityProviderId;
    name: string;
    title: string;
    kind: ProviderKind;
    issuer: string;
    client_id: string;
    client_secret_sealed: Nullable<string>;
    scopes: string[];
    enabled: boolean;
    provisioning: Provisioning;
    domains: string[];
    groups_claim: Nullable<string>;
    role_mappings: Json<RoleMapping[]>;
    recheck_minutes: number;
    created_at: Date;
  };
  linked_identity: {
    id: LinkedIdentityId;
    provider_id: IdentityProviderId;
    user_id: UserId;
    subject: string;
    email: Nullable<string>;
    created_at: Date;
    last_used_at: Date;
  };
  outside_sign_in: {
    id: OutsideSignInId;
    provider_id: IdentityProviderId;
    state_hash: Buffer;
    browser_hash: Buffer;
    secrets_sealed: string;
    session_id: Nullable<SessionId>;
    return_to: Nullable<string>;
    created_at: Date;
    expires_at: Date;
    used_at: Nullable<Date>;
  };
  outside_session: {
    id: OutsideSessionId;
    identity_id: LinkedIdentityId;
    session_id: Nullable<SessionId>;
    sid: Nullable<string>;
    token_kind: Nullable<'refresh' | 'access'>;
    token_sealed: Nullable<string>;
    token_expires_at: Nullable<Date>;
    created_at: Date;
    checked_at: Date;
  };
  logout_token: { provider_id: IdentityProviderId; token_hash: Buffer; expires_at: Date };
  claim_role: { identity_id: LinkedIdentityId; organization_id: OrganizationId; role: Role };
  claimed_membership: {
    organization_id: OrganizationId;
    user_id: UserId;
    base_role: Nullable<Role>;
    applied_role: Role;
  };
  oidc_client: {
    id: OidcClientId;
    title: string;
    organization_id: Nullable<OrganizationId>;
    app: Nullable<string>;
    secret_hash: Nullable<Buffer>;
    auth_method: OidcAuthMethod;
    redirect_uris: string[];
    first_party: boolean;
    created_at: Date;
  };
  oidc_record: {
    id: string;
    payload_sealed: string;
    grant_hash: Nullable<string>;
    uid_hash: Nullable<string>;
    consumed_at: Nullable<Date>;
    expires_at: Date;
  };
  oidc_grant: { grant_hash: string; client_id: OidcClientId; session_id: SessionId; expires_at: Date };
  invitation: {
    id: InvitationId;
    organization_id: OrganizationId;
    email: string;
    role: Role;
    token_hash: Buffer;
    invited_by: UserId;
    created_at: Stamp;
    expires_at: Date;
    accepted_at: Nullable<Date>;
    revoked_at: Nullable<Date>;
  };
  rate_window: {
    class: string;
    subject: string;
    window_start: Date;
    hits: Generated<number>;
    next_at: Generated<Date>;
  };
  known_address: { account: string; block: string; seen_at: Date };
  quota: {
    project_id: ProjectId;
    limit_instances: number;
    limit_desktops: number;
    limit_servers: number;
    limit_cpus: number;
    limit_memory_bytes: number;
    limit_disk_bytes: number;
    limit_routes: number;
    limit_snapshots: number;
    limit_port_forwards: number;
    limit_backups: number;
    limit_backup_bytes: number;
    used_instances: Generated<number>;
    used_desktops: Generated<number>;
    used_servers: Generated<number>;
    used_cpus: Generated<number>;
    used_memory_bytes: Generated<number>;
    used_disk_bytes: Generated<number>;
    used_routes: Generated<number>;
    used_snapshots: Generated<number>;
    used_port_forwards: Generated<number>;
    used_backups: Generated<number>;
    used_backup_bytes: Generated<number>;
  };
  organization_quota: {
    organization_id: OrganizationId;
    limit_instances: number;
    limit_desktops: number;
    limit_servers: number;
    limit_cpus: number;
    limit_memory_bytes: number;
    limit_disk_bytes: number;
    limit_routes: number;
    limit_snapshots: number;
    limit_port_forwards: number;
    limit_backups: number;
    limit_backup_bytes: number;
    used_instances: Generated<number>;
    used_desktops: Generated<number>;
    used_servers: Generated<number>;
    used_cpus: Generated<number>;
    used_memory_bytes: Generated<number>;
    used_disk_bytes: Generated<number>;
    used_routes: Generated<number>;
    used_snapshots: Generated<number>;
    used_port_forwards: Generated<number>;
    used_backups: Generated<number>;
    used_backup_bytes: Generated<number>;
  };
  host: {
    id: HostId;
    name: string;
    state: Generated<'online' | 'offline'>;
    facts: ColumnType<unknown, string | null | undefined, string | null>;
    error: Nullable<string>;
    last_seen_at: Nullable<Date>;
    created_at: Stamp;
  };
  image: {
    id: ImageId;
    name: string;
    kind: InstanceKind;
    title: string;
    source: 'recipe' | 'file' | 'server';
    state: 'absent' | 'queued' | 'building' | 'ready' | 'failed';
    fingerprint: Nullable<string>;
    recipe_hash: Nullable<string>;
    built_recipe_hash: Nullable<string>;
    size_bytes: Nullable<number>;
    error: Nullable<string>;
    built_at: Nullable<Date>;
    version: Generated<number>;
  };
  operation: {
    id: OperationId;
    kind: OperationKind;
    title: string;
    state: OperationState;
    organization_id: Nullable<OrganizationId>;
    project_id: Nullable<ProjectId>;
    instance_id: Nullable<InstanceId>;
    image_id: Nullable<ImageId>;
    target: string;
    actor_kind: string;
    actor_id: Nullable<string>;
    actor: string;
    input: JsonDefault<unknown>;
    error_code: Nullable<string>;
    error_message: Nullable<string>;
    created_at: Stamp;
    started_at: Nullable<Date>;
    finished_at: Nullable<Date>;
    request_id: Nullable<string>;
    version: Generated<number>;
    stop_asked_at: Nullable<Date>;
    stop_asked_by: Nullable<string>;
  };
  operation_step: {
    operation_id: OperationId;
    seq: number;
    name: string;
    title: string;
    state: StepState;
    started_at: Nullable<Date>;
    finished_at: Nullable<Date>;
    attempts: Generated<number>;
    percent: Nullable<number>;
    message: Nullable<string>;
  };
  instance: {
    id: InstanceId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    host_id: Nullable<HostId>;
    kind: InstanceKind;
    name: string;
    description: Generated<string>;
    phase: InstancePhase;
    cpus: number;
    memory_bytes: number;
    disk_bytes: number;
    image_id: ImageId;
    image_fingerprint: Nullable<string>;
    host_number: number;
    address4: string;
    address6: string;
    desired: DesiredState;
    desired_before_archive: Nullable<DesiredState>;
    protected: Generated<boolean>;
    created_by: UserId;
    created_at: Stamp;
    archived_at: Nullable<Date>;
    purge_at: Nullable<Date>;
    operation_id: Nullable<OperationId>;
    observed: Generated<ObservedState>;
    observed_at: Nullable<Date>;
    observed_size: ColumnType<
      { cpus: number; memoryBytes: number; diskBytes: number } | null,
      string | null | undefined,
      string | null
    >;
    health: Generated<HealthState>;
    health_checks: JsonDefault<HealthCheck[]>;
    health_at: Nullable<Date>;
    drift: Nullable<string>;
    repair_attempts: Generated<number>;
    repair_after: Nullable<Date>;
    usage: JsonDefault<{ memoryBytes?: number | null; diskBytes?: number | null; processes?: number | null }>;
    started_at: Nullable<Date>;
    version: Generated<number>;
  };
  snapshot: {
    id: SnapshotId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: InstanceId;
    name: string;
    state: 'creating' | 'ready' | 'deleting' | 'failed';
    created_by: UserId;
    created_at: Stamp;
  };
  backup_repository: {
    id: BackupRepositoryId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: Nullable<InstanceId>;
    instance_name: string;
    kind: InstanceKind;
    password_sealed: string;
    stored_bytes: Generated<number>;
    reserved_bytes: Generated<number>;
    closed: Generated<boolean>;
    state: Generated<RepositoryState>;
    problem: Nullable<string>;
    checked_at: Nullable<Date>;
    operation_id: Nullable<OperationId>;
    created_at: Stamp;
  };
  backup: {
    id: BackupId;
    repository_id: BackupRepositoryId;
    note: Generated<string>;
    state: Generated<BackupState>;
    cpus: number;
    memory_bytes: number;
    disk_bytes: number;
    image_id: ImageId;
    image_fingerprint: string;
    data_bytes: Nullable<number>;
    added_bytes: Nullable<number>;
    files: Nullable<number>;
    created_by: UserId;
    created_at: Stamp;
    finished_at: Nullable<Date>;
  };
  instance_transfer: {
    instance_id: InstanceId;
    operation_id: OperationId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    name: string;
    host_number: number;
    address4: string;
    address6: string;
    created_at: Stamp;
  };
  route: {
    id: RouteId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: InstanceId;
    hostname: string;
    target: RouteTarget;
    port: Nullable<number>;
    visibility: 'private' | 'public';
    is_primary: Generated<boolean>;
    enabled: Generated<boolean>;
    created_at: Stamp;
    version: Generated<number>;
    path: Generated<string>;
    domain_id: Nullable<DomainId>;
    redirect_to: Nullable<string>;
    redirect_status: Nullable<number>;
    options: JsonDefault<RouteRules>;
  };
  certificate: {
    hostname: string;
    state: 'valid' | 'none';
    issuer: Nullable<string>;
    expires_at: Nullable<Date>;
    problem: Nullable<string>;
    checked_at: Date;
  };
  domain: {
    id: DomainId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    name: string;
    token: string;
    state: Generated<DomainState>;
    proof: Nullable<DomainProof>;
    reason: Nullable<string>;
    points_here: Nullable<boolean>;
    created_by: UserId;
    created_at: Stamp;
    verified_at: Nullable<Date>;
    checked_at: Nullable<Date>;
    check_at: Generated<Date>;
    failing_since: Nullable<Date>;
    expires_at: Nullable<Date>;
    version: Generated<number>;
    wildcard: Generated<boolean>;
  };
  wildcard_certificate: {
    id: WildcardId;
    domain_id: Nullable<DomainId>;
    platform_domain: Nullable<string>;
    bundle: Nullable<string>;
    issuer: Nullable<string>;
    expires_at: Nullable<Date>;
    order_url: Nullable<string>;
    order_key_sealed: Nullable<string>;
    problem: Nullable<string>;
    attempts: Generated<number>;
    try_at: Generated<Date>;
    claimed_until: Nullable<Date>;
  };
  acme_account: {
    directory: string;
    url: string;
    key_sealed: string;
    created_at: Stamp;
  };
  dns_provider: {
    id: DnsProviderId;
    organization_id: Nullable<OrganizationId>;
    title: string;
    kind: DnsProviderKind;
    settings: Json<DnsProviderSettings>;
    secret_sealed: string;
    zones: Generated<string[]>;
    shared: Generated<boolean>;
    available: Generated<string[]>;
    warnings: Generated<string[]>;
    problem: Nullable<string>;
    checked_at: Nullable<Date>;
    created_at: Stamp;
    version: Generated<number>;
  };
  dns_record: {
    id: DnsRecordId;
    provider_id: DnsProviderId;
    organization_id: Nullable<OrganizationId>;
    domain_id: Nullable<DomainId>;
    zone: string;
    name: string;
    type: DnsType;
    wanted: string[];
    desired: Generated<'present' | 'absent'>;
    state: Generated<DnsRecordState>;
    seen: Nullable<string[]>;
    problem: Nullable<string>;
    owned: Generated<boolean>;
    attempts: Generated<number>;
    look_at: Generated<Date>;
    claimed_until: Nullable<Date>;
    version: Generated<number>;
    created_at: Stamp;
  };
  security_group: {
    id: SecurityGroupId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    name: string;
    description: Generated<string>;
    rules: JsonDefault<NetworkRule[]>;
    created_at: Stamp;
    version: Generated<number>;
    applied_version: Generated<number>;
  };
  security_group_instance: {
    group_id: SecurityGroupId;
    instance_id: InstanceId;
  };
  address_set: {
    project_id: ProjectId;
    name: string;
    organization_id: OrganizationId;
    description: Generated<string>;
    ranges: Json<string[]>;
    created_at: Stamp;
  };
  egress_policy: {
    project_id: ProjectId;
    organization_id: OrganizationId;
    default_action: RuleAction;
    rules: JsonDefault<NetworkRule[]>;
    connections_max: Nullable<number>;
    bytes_per_second_max: Nullable<number>;
    version: Generated<number>;
    applied_version: Generated<number>;
  };
  /** Instances may be gone. */
  flow: {
    instance_id: InstanceId;
    hour: Date;
    verdict: FlowVerdict;
    address: string;
    protocol: FlowProtocol;
    port: number;
    project_id: ProjectId;
    name: Nullable<string>;
    connections: number;
    sent_bytes: number;
    received_bytes: number;
    first_at: Date;
    last_at: Date;
  };
  flow_batch: {
    host_id: HostId;
    batch: string;
  };
  port_forward: {
    id: ForwardId;
    organization_id: OrganizationId;
    project_id: ProjectId;
    instance_id: InstanceId;
    protocol: ForwardProtocol;
    host_port: number;
    port: number;
    description: Generated<string>;
    enabled: Generated<boolean>;
    created_at: Stamp;
    state: Generated<ForwardState>;
    version: Generated<number>;
  };
  idempotency: {
    user_id: UserId;
    key: string;
    request_hash: string;
    operation_id: OperationId;
    created_at: Stamp;
  };
  audit: {
    seq: Generated<number>;
    id: AuditId;
    organization_id: Nullable<OrganizationId>;
    project_id: Nullable<ProjectId>;
    at: Stamp;
    actor_kind: 'user' | 'token' | 'workflow' | 'system' | 'anonymous';
    actor_id: Nullable<string>;
    actor: string;
    action: string;
    target_kind: string;
    target_id: Nullable<string>;
    target: string;
    result: 'ok' | 'refused' | 'failed';
    address: Nullable<string>;
    user_agent: Nullable<string>;
    request_id: Nullable<string>;
    before: ColumnType<unknown, string | null | undefined, never>;
    after: ColumnType<unknown, string | null | undefined, never>;
    /** Null for entries older than the chain. */
    digest: ColumnType<Buffer | null, Buffer, never>;
    search: Computed<string>;
  };
  audit_chain: { chain: string; position: Computed<number>; link: Computed<Buffer> };
  audit_link: { chain: string; position: Computed<number>; seq: Computed<number>; link: Computed<Buffer> };
  audit_key: {
    id: string;
    public_x: string;
    /** Gone with its retirement. */
    private_sealed: Nullable<string>;
    created_at: Stamp;
    retired_at: Nullable<Date>;
    succession: ColumnType<AuditSuccession | null, string | null | undefined, never>;
  };
  audit_head: { chain: string; position: number; link: string; at: Date; key_id: string; signature: string };
  audit_tombstone: {
    chain: string;
    to_position: Computed<number>;
    statement: ColumnType<AuditTombstone, never, never>;
  };
  audit_check: {
    chain: string;
    verified_to: number;
    verified_at: Date;
    whole_at: Date;
    problem_position: Nullable<number>;
    problem: Nullable<string>;
  };
  audit_setting: { chain: string; retention_days: Nullable<number> };
  outbox: {
    seq: Generated<number>;
    txid: Generated<string>;
    at: Stamp;
    kind: string;
    ref: string;
    organization_id: Nullable<string>;
    project_id: Nullable<string>;
    instance_id: Nullable<string>;
    version: Generated<number>;
  };
  user_group: {
    id: GroupId;
    organization_id: OrganizationId;
    name: string;
    title: string;
    role: Nullable<WorkingRole>;
    created_at: Stamp;
  };
  user_group_member: { organization_id: OrganizationId; group_id: GroupId; user_id: UserId; added_at: Stamp };
  project_role: {
    project_id: ProjectId;
    subject: Computed<UserId | GroupId>;
    organization_id: OrganizationId;
    user_id: Nullable<UserId>;
    group_id: Nullable<GroupId>;
    role: WorkingRole;
    created_at: Stamp;
  };
  app_grant: {
    id: GrantId;
    organization_id: OrganizationId;
    app: string;
    instance_id: Computed<InstanceId | null>;
    subject: Computed<UserId | GroupId>;
    user_id: Nullable<UserId>;
    group_id: Nullable<GroupId>;
    permissions: GrantPermission[];
    granted_by: UserId;
    created_at: Stamp;
  };
  tenant_entry: {
    id: EntryId;
    organization_id: OrganizationId;
    user_id: UserId;
    reason: string;
    created_at: Stamp;
    expires_at: Date;
    ended_at: Nullable<Date>;
    ended_by: Nullable<UserId>;
  };
  /** Subjects are hosts and instances. */
  metric_latest: {
    subject: InstanceId | HostId;
    at: Date;
    cpu_seconds: number;
    read_bytes: Nullable<number>;
    written_bytes: Nullable<number>;
    received_bytes: number;
    sent_bytes: number;
    cpu: Nullable<number>;
    cpu_limit: Nullable<number>;
    memory: number;
    memory_limit: Nullable<number>;
    disk: Nullable<number>;
    disk_limit: Nullable<number>;
    read: Nullable<number>;
    written: Nullable<number>;
    received: Nullable<number>;
    sent: Nullable<number>;
    processes: Nullable<number>;
  };
  metric_point: {
    subject: InstanceId | HostId;
    tier: number;
    at: Date;
    samples: number;
    rated: number;
    cpu: Nullable<number>;
    cpu_max: Nullable<number>;
    cpu_limit: Nullable<number>;
    memory: Nullable<number>;
    memory_max: Nullable<number>;
    memory_limit: Nullable<number>;
    disk: Nullable<number>;
    disk_limit: Nullable<number>;
    read: Nullable<number>;
    read_max: Nullable<number>;
    written: Nullable<number>;
    written_max: Nullable<number>;
    received: Nullable<number>;
    received_max: Nullable<number>;
    sent: Nullable<number>;
    sent_max: Nullable<number>;
    processes: Nullable<number>;
    processes_max: Nullable<number>;
  };
  replica: { id: string; started_at: Stamp; seen_at: Generated<Date> };
  setting: { key: string; value: Json<unknown> };
};
