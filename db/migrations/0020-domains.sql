-- Domains of tenants' own (V5). A project claims a name and proves it by DNS; several may claim the same name, one at
-- most has proven it. Claims that are never proven end by themselves, so that nobody keeps a name from its owner.
create table domain (
  id text primary key,
  organization_id text not null references organization (id),
  project_id text not null references project (id) on delete cascade,
  name text not null,
  -- Part of the TXT record that proves the claim: every claim has one of its own.
  token text not null,
  state text not null default 'pending' check (state in ('pending', 'verified', 'lost')),
  proof text check (proof in ('txt', 'cname', 'address')),
  -- What the last look at DNS showed: why it is not proven, and whether the name leads to this installation.
  reason text,
  points_here boolean,
  created_by text not null references app_user (id),
  created_at timestamptz not null default now(),
  verified_at timestamptz,
  checked_at timestamptz,
  check_at timestamptz not null default now(),
  failing_since timestamptz,
  -- When an unproven claim ends.
  expires_at timestamptz,
  version bigint not null default 1,
  check ((state = 'verified') = (proof is not null)),
  check ((state = 'verified') = (verified_at is not null)),
  check ((state = 'pending') = (expires_at is not null))
);
create unique index domain_owner on domain (name) where state = 'verified';
create unique index domain_claim on domain (project_id, name);
create index domain_due on domain (check_at);

-- Routes: several paths of one host name (all to one instance), redirects, and rules that edge applies.
alter table route
  add column path text not null default '/' check (path like '/%'),
  -- Null: a name under the platform domain, which needs no proof.
  add column domain_id text references domain (id),
  add column redirect_to text,
  add column redirect_status integer check (redirect_status in (301, 302, 307, 308)),
  add column options jsonb not null default '{}' check (jsonb_typeof(options) = 'object');
alter table route drop constraint route_hostname_key;
create unique index route_place on route (hostname, path);
create index route_domain on route (domain_id) where domain_id is not null;
alter table route drop constraint route_target_check;
alter table route add constraint route_target_check check (target in ('port', 'screen', 'redirect'));
alter table route add constraint route_redirect_check
  check ((target = 'redirect') = (redirect_to is not null and redirect_status is not null));

-- A route on a name that is not proven (any more) does not exist for edge: no answer, no certificate.
create or replace view edge_route as
  select r.id, r.hostname, r.target, r.port, r.visibility, r.organization_id, r.project_id, r.instance_id, i.name as instance_name,
         i.kind, i.address4, i.phase, i.desired, i.observed, r.enabled,
         r.path, r.redirect_to, r.redirect_status, nullif(r.options, '{}') as options
    from route r
    join instance i on i.id = r.instance_id
    left join domain d on d.id = r.domain_id
   where r.domain_id is null or d.state = 'verified';
