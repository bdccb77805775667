-- Backups of instances (R3). Each instance has an encrypted repository of its own, kept on the host; a repository that was
-- found damaged is closed, and the next backup begins a new one. Both outlive the instance: instance_id is null then.
create table backup_repository (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  instance_id text references instance (id),
  -- What it was called and what it was: for when it is gone.
  instance_name text not null,
  kind text not null check (kind in ('desktop', 'server')),
  password_sealed text not null,
  -- What it takes on the host, and what the backup that is being made may add: together they count.
  stored_bytes bigint not null default 0 check (stored_bytes >= 0),
  reserved_bytes bigint not null default 0 check (reserved_bytes >= 0),
  -- Nothing is added any more.
  closed boolean not null default false,
  -- What the last check of its content said.
  state text not null default 'unverified' check (state in ('unverified', 'sound', 'damaged')),
  problem text,
  checked_at timestamptz,
  -- The operation that works on it; one at a time.
  operation_id text,
  created_at timestamptz not null default now(),
  check ((state = 'unverified') = (checked_at is null)),
  check ((state = 'damaged') = (problem is not null))
);
create unique index backup_repository_current on backup_repository (instance_id) where not closed;
create index backup_repository_instance on backup_repository (instance_id);
create index backup_repository_project on backup_repository (project_id);
create index backup_repository_operation on backup_repository (operation_id) where operation_id is not null;

create table backup (
  id text primary key,
  repository_id text not null references backup_repository (id),
  note text not null default '',
  state text not null default 'creating' check (state in ('creating', 'ready', 'deleting')),
  -- What a new instance made of it gets.
  cpus integer not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  image_id text not null,
  image_fingerprint text not null,
  -- What it holds, and what it added to its repository; known when it is made.
  data_bytes bigint,
  added_bytes bigint,
  files bigint,
  created_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((state = 'creating') = (finished_at is null))
);
create index backup_of_repository on backup (repository_id, id);
