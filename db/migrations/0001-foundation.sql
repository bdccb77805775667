-- The first schema. Rules: desired and observed live in different columns; every tenant row reaches its organization;
-- secrets are stored as hashes (tokens) or sealed; every change of tenant data writes audit and outbox rows in the same
-- transaction. Edge reads only the edge_* views at the end, through the role berth_edge.

create table organization (
  id text primary key,
  name text not null unique,
  title text not null,
  created_at timestamptz not null default now()
);

create table project (
  id text primary key,
  organization_id text not null references organization (id),
  name text not null,
  title text not null,
  -- Index of the network in the installation's pools; the subnets are fixed at creation.
  network_index integer not null unique,
  subnet4 text not null unique,
  subnet6 text not null unique,
  created_at timestamptz not null default now(),
  unique (organization_id, name)
);
create index project_organization on project (organization_id);

create table app_user (
  id text primary key,
  email text not null unique,
  name text not null,
  password_hash text not null,
  platform_admin boolean not null default false,
  created_at timestamptz not null default now(),
  disabled_at timestamptz
);

create table membership (
  organization_id text not null references organization (id),
  user_id text not null references app_user (id),
  role text not null check (role in ('owner', 'admin', 'operator', 'member', 'viewer')),
  joined_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);
create index membership_user on membership (user_id);

create table session (
  id text primary key,
  user_id text not null references app_user (id),
  token_hash bytea not null unique,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  address text not null,
  user_agent text not null
);
create index session_by_user on session (user_id) where revoked_at is null;

create table api_token (
  id text primary key,
  user_id text not null references app_user (id),
  name text not null,
  prefix text not null,
  token_hash bytea not null unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_token_user on api_token (user_id) where revoked_at is null;

create table invitation (
  id text primary key,
  organization_id text not null references organization (id),
  email text not null,
  role text not null check (role in ('owner', 'admin', 'operator', 'member', 'viewer')),
  token_hash bytea not null unique,
  invited_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz
);
create index invitation_organization on invitation (organization_id);

-- Sign-in and provisioning attempts, shared by all replicas; one row per class, subject and window.
create table rate_window (
  class text not null,
  subject text not null,
  window_start timestamptz not null,
  hits integer not null default 0,
  primary key (class, subject, window_start)
);

create table quota (
  project_id text primary key references project (id),
  limit_instances bigint not null check (limit_instances >= 0),
  limit_cpus bigint not null check (limit_cpus >= 0),
  limit_memory_bytes bigint not null check (limit_memory_bytes >= 0),
  limit_disk_bytes bigint not null check (limit_disk_bytes >= 0),
  limit_routes bigint not null check (limit_routes >= 0),
  limit_snapshots bigint not null check (limit_snapshots >= 0),
  used_instances bigint not null default 0 check (used_instances >= 0),
  used_cpus bigint not null default 0 check (used_cpus >= 0),
  used_memory_bytes bigint not null default 0 check (used_memory_bytes >= 0),
  used_disk_bytes bigint not null default 0 check (used_disk_bytes >= 0),
  used_routes bigint not null default 0 check (used_routes >= 0),
  used_snapshots bigint not null default 0 check (used_snapshots >= 0)
);

create table host (
  id text primary key,
  name text not null unique,
  state text not null default 'offline' check (state in ('online', 'offline')),
  facts jsonb,
  error text,
  last_seen_at timestamptz,
  created_at timestamptz not null default now()
);

create table image (
  id text primary key,
  name text not null unique,
  kind text not null check (kind in ('desktop', 'server')),
  title text not null,
  source text not null check (source in ('recipe', 'file', 'server')),
  state text not null check (state in ('absent', 'queued', 'building', 'ready', 'failed')),
  fingerprint text,
  recipe_hash text,
  built_recipe_hash text,
  size_bytes bigint,
  error text,
  built_at timestamptz,
  version bigint not null default 1
);

create table operation (
  id text primary key,
  kind text not null,
  title text not null,
  state text not null check (state in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  organization_id text references organization (id),
  project_id text references project (id),
  instance_id text,
  image_id text,
  target text not null,
  actor_kind text not null,
  actor_id text,
  actor text not null,
  input jsonb not null default '{}',
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  request_id text,
  version bigint not null default 1
);
create index operation_project on operation (project_id, created_at desc);
create index operation_instance on operation (instance_id, created_at desc);
create index operation_open on operation (created_at) where state in ('pending', 'running');

create table operation_step (
  operation_id text not null references operation (id),
  seq integer not null,
  name text not null,
  title text not null,
  state text not null check (state in ('pending', 'running', 'succeeded', 'failed', 'undone', 'skipped')),
  started_at timestamptz,
  finished_at timestamptz,
  attempts integer not null default 0,
  percent real,
  message text,
  primary key (operation_id, seq)
);

create table instance (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  host_id text references host (id),
  kind text not null check (kind in ('desktop', 'server')),
  name text not null,
  description text not null default '',
  phase text not null check (phase in ('creating', 'ready', 'failed', 'archived', 'purging')),
  cpus integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  image_id text not null references image (id),
  image_fingerprint text,
  host_number integer not null,
  address4 text not null,
  address6 text not null,
  desired text not null check (desired in ('running', 'paused', 'stopped')),
  -- What it was before archiving, so that restore brings it back as it was.
  desired_before_archive text,
  protected boolean not null default false,
  created_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  archived_at timestamptz,
  purge_at timestamptz,
  -- The operation that holds the instance; set and cleared with conditional updates, so two never run at once.
  operation_id text references operation (id) deferrable initially deferred,
  -- Observed, written only by the watcher and by workflow steps that looked.
  observed text not null default 'unknown',
  observed_at timestamptz,
  observed_size jsonb,
  health text not null default 'unknown',
  health_checks jsonb not null default '[]',
  health_at timestamptz,
  drift text,
  repair_attempts integer not null default 0,
  repair_after timestamptz,
  usage jsonb not null default '{}',
  started_at timestamptz,
  version bigint not null default 1
);
-- A name, an address and a host number belong to one living instance; archived and failed ones keep their address until
-- they are removed for good and free their name.
create unique index instance_name on instance (project_id, name) where phase in ('creating', 'ready');
create unique index instance_host_number on instance (project_id, host_number);
create unique index instance_address4 on instance (address4);
create index instance_project on instance (project_id, created_at desc);
create index instance_purge on instance (purge_at) where phase = 'archived';

create table snapshot (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  instance_id text not null references instance (id),
  name text not null,
  state text not null check (state in ('creating', 'ready', 'deleting', 'failed')),
  created_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  unique (instance_id, name)
);

create table route (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  instance_id text not null references instance (id),
  hostname text not null unique,
  target text not null check (target in ('port', 'screen')),
  port integer check (port between 1 and 65535),
  visibility text not null check (visibility in ('private', 'public')),
  is_primary boolean not null default false,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  version bigint not null default 1,
  check ((target = 'port') = (port is not null))
);
create index route_instance on route (instance_id);
create index route_project on route (project_id);

create table idempotency (
  user_id text not null references app_user (id),
  key text not null,
  request_hash text not null,
  operation_id text not null references operation (id),
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);

create table audit (
  seq bigint generated always as identity primary key,
  id text not null unique,
  organization_id text references organization (id),
  project_id text,
  at timestamptz not null default now(),
  actor_kind text not null check (actor_kind in ('user', 'token', 'workflow', 'system', 'anonymous')),
  actor_id text,
  actor text not null,
  action text not null,
  target_kind text not null,
  target_id text,
  target text not null,
  result text not null check (result in ('ok', 'refused', 'failed')),
  address text,
  user_agent text,
  request_id text,
  before jsonb,
  after jsonb
);
create index audit_organization on audit (organization_id, seq desc);
create index audit_project on audit (project_id, seq desc);
create index audit_target on audit (target_id, seq desc);

-- Hints for live consoles and for edge. Readers keep the last number they saw; missed notifications are harmless.
create table outbox (
  seq bigint generated always as identity primary key,
  -- Transactions commit out of order: readers use the transaction id to never skip a number that appears late.
  txid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default now(),
  kind text not null,
  ref text not null,
  organization_id text,
  project_id text,
  instance_id text,
  version bigint not null default 1
);
create index outbox_at on outbox (at);
-- Readers ask for rows of transactions that their last snapshot had not seen.
create index outbox_position on outbox (txid, seq);

-- Replicas of the control plane; a dead one's workflow runs are resumed by the others.
create table replica (
  id text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table setting (
  key text primary key,
  value jsonb not null
);

-- What edge may see.
create view edge_route as
  select r.id, r.hostname, r.target, r.port, r.visibility, r.organization_id, r.project_id, r.instance_id, i.name as instance_name,
         i.kind, i.address4, i.phase, i.desired, i.observed, r.enabled
    from route r join instance i on i.id = r.instance_id;

create view edge_instance as
  select id, organization_id, project_id, name, kind, phase, desired, observed, address4, address6 from instance;

create view edge_session as
  select s.id, s.user_id, s.token_hash, s.expires_at
    from session s join app_user u on u.id = s.user_id
   where s.revoked_at is null and u.disabled_at is null;

create view edge_api_token as
  select t.id, t.user_id, t.token_hash, t.expires_at
    from api_token t join app_user u on u.id = t.user_id
   where t.revoked_at is null and u.disabled_at is null;

create view edge_membership as select organization_id, user_id, role from membership;
create view edge_user as select id, email, name, platform_admin from app_user where disabled_at is null;
create view edge_outbox as select seq, txid, kind, ref, organization_id, project_id, instance_id, version from outbox;

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant usage on schema public to berth_edge;
    grant select on edge_route, edge_instance, edge_session, edge_api_token, edge_membership, edge_user, edge_outbox to berth_edge;
  end if;
end
$$;
