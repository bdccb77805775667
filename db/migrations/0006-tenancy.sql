-- Tenancy: groups, roles in projects, grants to single apps, and administrators' visible entries into organizations.
-- Everything a person holds in an organization hangs on their membership and ends with it.

-- A guest belongs to the organization and may do nothing but what grants, groups and roles in projects give.
alter table membership drop constraint membership_role_check;
alter table membership add constraint membership_role_check
  check (role in ('owner', 'admin', 'operator', 'member', 'viewer', 'guest'));
alter table invitation drop constraint invitation_role_check;
alter table invitation add constraint invitation_role_check
  check (role in ('owner', 'admin', 'operator', 'member', 'viewer', 'guest'));

-- The row of a deleted organization stays, because its audit log does; its name is free again.
alter table organization add column deleted_at timestamptz;
alter table organization drop constraint organization_name_key;
create unique index organization_name on organization (name) where deleted_at is null;

-- A project is deleted with its quota; finished operations stay in the organization's history.
alter table operation drop constraint operation_project_id_fkey;
alter table operation add constraint operation_project_id_fkey
  foreign key (project_id) references project (id) on delete set null;
alter table quota drop constraint quota_project_id_fkey;
alter table quota add constraint quota_project_id_fkey
  foreign key (project_id) references project (id) on delete cascade;

create table user_group (
  id text primary key,
  organization_id text not null references organization (id),
  name text not null,
  title text not null,
  -- What every member of the group holds in the whole organization; null: nothing.
  role text check (role in ('owner', 'admin', 'operator', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  unique (organization_id, name),
  unique (organization_id, id)
);

create table user_group_member (
  organization_id text not null,
  group_id text not null,
  user_id text not null,
  added_at timestamptz not null default now(),
  primary key (group_id, user_id),
  foreign key (organization_id, group_id) references user_group (organization_id, id) on delete cascade,
  foreign key (organization_id, user_id) references membership (organization_id, user_id) on delete cascade
);
create index user_group_member_user on user_group_member (user_id);
create index user_group_member_membership on user_group_member (organization_id, user_id);

-- A role in one project, held by a person or a group.
create table project_role (
  project_id text not null references project (id) on delete cascade,
  subject text not null generated always as (coalesce(user_id, group_id)) stored,
  organization_id text not null,
  user_id text,
  group_id text,
  role text not null check (role in ('owner', 'admin', 'operator', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  primary key (project_id, subject),
  check ((user_id is null) <> (group_id is null)),
  foreign key (organization_id, user_id) references membership (organization_id, user_id) on delete cascade,
  foreign key (organization_id, group_id) references user_group (organization_id, id) on delete cascade
);
create index project_role_user on project_role (organization_id, user_id);
create index project_role_group on project_role (organization_id, group_id);

-- Who may use one app: person or group x app. `app` is the id of an instance or of an entry of the catalogue.
create table app_grant (
  id text primary key,
  organization_id text not null references organization (id),
  app text not null,
  instance_id text generated always as (case when app like 'ins\_%' then app end) stored
    references instance (id) on delete cascade,
  subject text not null generated always as (coalesce(user_id, group_id)) stored,
  user_id text,
  group_id text,
  permissions text[] not null check (permissions <@ array['open', 'terminal', 'ssh'] and cardinality(permissions) > 0),
  granted_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  unique (app, subject),
  check ((user_id is null) <> (group_id is null)),
  foreign key (organization_id, user_id) references membership (organization_id, user_id) on delete cascade,
  foreign key (organization_id, group_id) references user_group (organization_id, id) on delete cascade
);
create index app_grant_instance on app_grant (instance_id);
create index app_grant_user on app_grant (user_id, instance_id);
create index app_grant_group on app_grant (group_id, instance_id);
create index app_grant_organization on app_grant (organization_id, id);

-- An administrator of the installation inside a tenant's organization: with a reason, until a time, seen by its owners.
create table tenant_entry (
  id text primary key,
  organization_id text not null references organization (id),
  user_id text not null references app_user (id),
  reason text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  ended_by text references app_user (id)
);
create index tenant_entry_organization on tenant_entry (organization_id, id desc);
create index tenant_entry_open on tenant_entry (user_id, organization_id) where ended_at is null;

-- What edge may see: who holds what where. `subject` is a person or a group; `project_id` and `instance_id` narrow it.
drop view edge_membership;
create view edge_access as
  select m.organization_id, null::text as project_id, null::text as instance_id, m.user_id as subject, m.role,
         null::text[] as permissions, null::timestamptz as expires_at
    from membership m
  union all
  select g.organization_id, null, null, g.id, g.role, null, null from user_group g where g.role is not null
  union all
  select p.organization_id, p.project_id, null, p.subject, p.role, null, null from project_role p
  union all
  select a.organization_id, null, a.instance_id, a.subject, null, a.permissions, null
    from app_grant a where a.instance_id is not null
  union all
  select e.organization_id, null, null, e.user_id, 'operator', null, e.expires_at
    from tenant_entry e join app_user u on u.id = e.user_id
   where e.ended_at is null and u.platform_admin;
create view edge_group_member as select organization_id, group_id, user_id from user_group_member;

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_access, edge_group_member to berth_edge;
  end if;
end
$$;
