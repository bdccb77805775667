-- Port forwards: a port of the host leads to a port of one instance. Counted like routes.

create table port_forward (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  instance_id text not null references instance (id),
  protocol text not null check (protocol in ('tcp', 'udp')),
  host_port integer not null check (host_port between 1024 and 65535),
  port integer not null check (port between 1 and 65535),
  description text not null default '',
  -- Off while the instance is archived; the port stays its own.
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  -- Observed, written only by forward-keeper: what the host made of it.
  state text not null default 'pending' check (state in ('pending', 'active', 'taken', 'outside', 'absent')),
  version bigint not null default 1,
  unique (protocol, host_port)
);
create index port_forward_instance on port_forward (instance_id);
create index port_forward_project on port_forward (project_id, protocol, host_port);

alter table quota
  add column limit_port_forwards bigint check (limit_port_forwards >= 0),
  add column used_port_forwards bigint not null default 0 check (used_port_forwards >= 0);
update quota set limit_port_forwards = 20;
alter table quota alter column limit_port_forwards set not null;

alter table organization_quota
  add column limit_port_forwards bigint check (limit_port_forwards >= 0),
  add column used_port_forwards bigint not null default 0 check (used_port_forwards >= 0);
update organization_quota set limit_port_forwards = 1000;
alter table organization_quota alter column limit_port_forwards set not null;
