-- Quotas by kind of instance and per organization; limits on calls that administrators change while it runs.

alter table quota
  add column limit_desktops bigint check (limit_desktops >= 0),
  add column limit_servers bigint check (limit_servers >= 0),
  add column used_desktops bigint not null default 0 check (used_desktops >= 0),
  add column used_servers bigint not null default 0 check (used_servers >= 0);
update quota q set
  limit_desktops = limit_instances,
  limit_servers = limit_instances,
  used_desktops = (select count(*) from instance i
    where i.project_id = q.project_id and i.kind = 'desktop' and i.phase in ('creating', 'ready')),
  used_servers = (select count(*) from instance i
    where i.project_id = q.project_id and i.kind = 'server' and i.phase in ('creating', 'ready'));
alter table quota alter column limit_desktops set not null, alter column limit_servers set not null;

-- What all projects of an organization use together. Counted in the same statement as the project's.
create table organization_quota (
  organization_id text primary key references organization (id) on delete cascade,
  limit_instances bigint not null check (limit_instances >= 0),
  limit_desktops bigint not null check (limit_desktops >= 0),
  limit_servers bigint not null check (limit_servers >= 0),
  limit_cpus bigint not null check (limit_cpus >= 0),
  limit_memory_bytes bigint not null check (limit_memory_bytes >= 0),
  limit_disk_bytes bigint not null check (limit_disk_bytes >= 0),
  limit_routes bigint not null check (limit_routes >= 0),
  limit_snapshots bigint not null check (limit_snapshots >= 0),
  used_instances bigint not null default 0 check (used_instances >= 0),
  used_desktops bigint not null default 0 check (used_desktops >= 0),
  used_servers bigint not null default 0 check (used_servers >= 0),
  used_cpus bigint not null default 0 check (used_cpus >= 0),
  used_memory_bytes bigint not null default 0 check (used_memory_bytes >= 0),
  used_disk_bytes bigint not null default 0 check (used_disk_bytes >= 0),
  used_routes bigint not null default 0 check (used_routes >= 0),
  used_snapshots bigint not null default 0 check (used_snapshots >= 0)
);

-- Organizations that exist may go on as they are: the defaults of domain/quotas.ts, or what their projects add up to.
insert into organization_quota
select o.id,
       greatest(1000, sum(q.limit_instances)), greatest(1000, sum(q.limit_desktops)),
       greatest(1000, sum(q.limit_servers)), greatest(2000, sum(q.limit_cpus)),
       greatest(4000 * 1073741824::bigint, sum(q.limit_memory_bytes)),
       greatest(40000 * 1073741824::bigint, sum(q.limit_disk_bytes)),
       greatest(5000, sum(q.limit_routes)), greatest(5000, sum(q.limit_snapshots)),
       coalesce(sum(q.used_instances), 0), coalesce(sum(q.used_desktops), 0), coalesce(sum(q.used_servers), 0),
       coalesce(sum(q.used_cpus), 0), coalesce(sum(q.used_memory_bytes), 0), coalesce(sum(q.used_disk_bytes), 0),
       coalesce(sum(q.used_routes), 0), coalesce(sum(q.used_snapshots), 0)
  from organization o
  left join project p on p.organization_id = o.id
  left join quota q on q.project_id = p.id
 group by o.id;

-- Plain calls are counted here as well. After some wrong passwords each further one has to wait until next_at.
alter table rate_window add column next_at timestamptz not null default '-infinity';

-- From where an account has signed in before (digests of account and address); no lock-out there.
create table known_address (
  account text not null,
  block text not null,
  seen_at timestamptz not null,
  primary key (account, block)
);
create index known_address_seen on known_address (seen_at);
