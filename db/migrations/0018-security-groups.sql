-- Rules about what may enter and leave instances: groups of rules that instances have, and one policy for each project.

create table security_group (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id) on delete cascade,
  name text not null,
  description text not null default '',
  rules jsonb not null default '[]',
  created_at timestamptz not null default now(),
  version bigint not null default 1,
  -- Observed, written only by policy-keeper: the version that the host has.
  applied_version bigint not null default 0,
  unique (project_id, name)
);

create table security_group_instance (
  group_id text not null references security_group (id) on delete cascade,
  instance_id text not null references instance (id) on delete cascade,
  primary key (group_id, instance_id)
);
create index security_group_instance_by_instance on security_group_instance (instance_id);

create table egress_policy (
  project_id text primary key references project (id) on delete cascade,
  organization_id text not null references organization (id),
  default_action text not null check (default_action in ('allow', 'deny')),
  rules jsonb not null default '[]',
  connections_max integer,
  bytes_per_second_max bigint,
  version bigint not null default 1,
  applied_version bigint not null default 0
);
