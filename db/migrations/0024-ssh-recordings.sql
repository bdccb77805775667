-- Recordings of SSH sessions (V4): who is recorded, and what was.

-- Of an organization: all its servers, or only those named below. Without a row: no, and the default of days.
create table ssh_recording_policy (
  organization_id text primary key references organization (id) on delete cascade,
  enabled boolean not null default false,
  days integer not null check (days between 1 and 365),
  -- Its recordings have reached their bound: written by ssh-recording-keeper.
  is_full boolean not null default false
);
create table ssh_recorded_instance (
  instance_id text primary key references instance (id) on delete cascade
);

-- The file is <id>.cast in the folder of the recordings; the gateway writes it and tells of it.
create table ssh_recording (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null,
  instance_id text not null references instance (id) on delete cascade,
  user_id text not null references app_user (id),
  -- Rows of connections go earlier than recordings may.
  session_id text not null,
  address text not null,
  started_at timestamptz not null,
  milliseconds bigint not null default 0,
  bytes bigint not null default 0,
  -- Of the whole file, as the gateway wrote it; null when it was cut off.
  sha256 text,
  ended_at timestamptz,
  end_reason text,
  -- Deleted: the file goes next, then the row.
  removed_at timestamptz,
  check ((ended_at is null) = (end_reason is null))
);
create index ssh_recording_instance on ssh_recording (instance_id, id desc);
create index ssh_recording_session on ssh_recording (session_id);
create index ssh_recording_organization on ssh_recording (organization_id, started_at);
create index ssh_recording_user on ssh_recording (user_id);
create index ssh_recording_open on ssh_recording (id) where ended_at is null;
create index ssh_recording_removed on ssh_recording (id) where removed_at is not null;

-- What edge may see. `subject` is an organization or an instance.
create view edge_ssh_recorded as
  select organization_id as subject, false as is_full from ssh_recording_policy where enabled
  union all
  select organization_id, true from ssh_recording_policy where is_full
  union all
  select instance_id, false from ssh_recorded_instance;

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_ssh_recorded to berth_edge;
  end if;
end
$$;
