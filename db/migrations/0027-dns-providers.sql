-- Whoever serves the zones of tenants' domains (V5): connected by an organization for its own, or by the administrators of
-- the installation for everybody. Berth keeps the records its domains and routes need there, and no others.
create table dns_provider (
  id text primary key,
  -- Null: of the installation.
  organization_id text references organization (id),
  title text not null,
  kind text not null check (kind in ('rfc2136', 'cloudflare')),
  settings jsonb not null check (jsonb_typeof(settings) = 'object'),
  secret_sealed text not null,
  -- Zones in which Berth may keep records.
  zones text[] not null default '{}',
  -- Of the installation: whether every organization may use names in them.
  shared boolean not null default false,
  -- What the last look at the provider showed.
  available text[] not null default '{}',
  warnings text[] not null default '{}',
  problem text,
  checked_at timestamptz,
  created_at timestamptz not null default now(),
  version bigint not null default 1,
  check (organization_id is null or not shared)
);
create index dns_provider_organization on dns_provider (organization_id);

-- One row for each set of records that Berth keeps, or still has to remove. Written before the provider is called, so
-- that a process that dies in between finds it again.
create table dns_record (
  id text primary key,
  provider_id text not null references dns_provider (id) on delete cascade,
  organization_id text not null references organization (id),
  -- Null once the domain is gone: then there is only the removal left to do.
  domain_id text references domain (id) on delete set null,
  zone text not null,
  name text not null,
  type text not null check (type in ('A', 'AAAA', 'CNAME', 'TXT')),
  wanted text[] not null,
  desired text not null default 'present' check (desired in ('present', 'absent')),
  state text not null default 'pending' check (state in ('pending', 'present', 'drifted', 'taken', 'failed')),
  -- What was seen there when it was not what is wanted.
  seen text[],
  problem text,
  -- False: it was there already as wanted, made by somebody else, and stays when ours would go.
  owned boolean not null default false,
  attempts integer not null default 0,
  look_at timestamptz not null default now(),
  -- Who works on it keeps others away until then.
  claimed_until timestamptz,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  unique (zone, name, type)
);
create index dns_record_provider on dns_record (provider_id);
create index dns_record_domain on dns_record (domain_id);
create index dns_record_due on dns_record (look_at);
