-- Certificates for *.<domain> (V5), made by Berth itself by DNS-01 where a DNS provider is connected, and served to Caddy
-- by edge. Other certificates are Caddy's own and have no row.
alter table domain add column wildcard boolean not null default false;

create table wildcard_certificate (
  domain_id text primary key references domain (id) on delete cascade,
  -- Chain and key, closed so that edge alone can open it (contract/wildcards.ts).
  bundle text,
  issuer text,
  expires_at timestamptz,
  -- The order under way: written down as soon as it exists, so that whoever comes after a crash goes on with it.
  order_url text,
  order_key_sealed text,
  problem text,
  attempts integer not null default 0,
  -- When to begin (again): at once, after a failure, or in time before it ends.
  try_at timestamptz not null default now(),
  claimed_until timestamptz,
  check ((bundle is null) = (expires_at is null)),
  check ((order_url is null) = (order_key_sealed is null))
);
create index wildcard_certificate_due on wildcard_certificate (try_at);

create table acme_account (
  directory text primary key,
  url text not null,
  key_sealed text not null,
  created_at timestamptz not null default now()
);

create view edge_wildcard as
  select d.name, w.bundle from wildcard_certificate w join domain d on d.id = w.domain_id
   where w.bundle is not null and d.wildcard;
do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_wildcard to berth_edge;
  end if;
end
$$;
