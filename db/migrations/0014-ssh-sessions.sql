-- Host keys of instances, and the sessions that go through the SSH gateway.

-- What an instance proves itself with. Read through the engine once, when it is first healthy; the gateway connects to
-- nothing else. `seen_keys` is what it answered when it was something else.
create table instance_host_key (
  instance_id text primary key references instance (id) on delete cascade,
  -- Lines `<type> <base64>`.
  public_keys text[] not null check (cardinality(public_keys) > 0),
  pinned_at timestamptz not null,
  refused_key text,
  refused_at timestamptz,
  check ((refused_key is null) = (refused_at is null))
);

-- One connection through the gateway. Rows of ended ones stay for a while (server/store/sweep.ts); the audit log keeps
-- their beginning and end.
create table ssh_session (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null,
  instance_id text not null references instance (id) on delete cascade,
  user_id text not null references app_user (id),
  -- 'key' or 'password'; with the key's fingerprint and label as they were then.
  method text not null check (method in ('key', 'password')),
  key_label text,
  key_fingerprint text,
  address text not null,
  client text not null,
  started_at timestamptz not null,
  -- The gateway says so every few seconds; without it the session is over.
  seen_at timestamptz not null,
  bytes_in bigint not null default 0,
  bytes_out bigint not null default 0,
  -- Somebody pressed the button; edge ends it.
  end_requested_at timestamptz,
  end_requested_by text references app_user (id),
  ended_at timestamptz,
  end_reason text,
  check ((ended_at is null) = (end_reason is null))
);
create index ssh_session_instance on ssh_session (instance_id, started_at desc);
create index ssh_session_open on ssh_session (seen_at) where ended_at is null;
create index ssh_session_user on ssh_session (user_id);
create index ssh_session_end_requested_by on ssh_session (end_requested_by);
create index ssh_session_organization on ssh_session (organization_id);

-- What edge may see.
create view edge_ssh_key as
  select k.id, k.user_id, k.fingerprint, k.label
    from ssh_key k join app_user u on u.id = k.user_id
   where u.disabled_at is null;
create view edge_host_key as select instance_id, public_keys from instance_host_key;
create view edge_ssh_end as
  select id from ssh_session where end_requested_at is not null and ended_at is null;
create view edge_place as
  select p.id as project_id, p.name as project, o.name as organization
    from project p join organization o on o.id = p.organization_id;

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_ssh_key, edge_host_key, edge_ssh_end, edge_place to berth_edge;
  end if;
end
$$;
