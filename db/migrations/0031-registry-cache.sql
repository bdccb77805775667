-- The image cache of hosts (V9): how it shall be, one row for the installation; and how it was when last heard of.
create table registry_cache (
  id text primary key check (id = 'main'),
  enabled boolean not null,
  upstream text not null,
  username text,
  password_sealed text,
  ca_certificate text,
  bytes_max bigint not null check (bytes_max > 0),
  -- Counted up by whoever wants it emptied.
  emptied integer not null default 0,
  updated_at timestamptz not null,
  check ((username is null) = (password_sealed is null))
);

-- Observed, written only by registry-keeper.
create table registry_status (
  host_id text primary key references host (id) on delete cascade,
  status jsonb not null check (jsonb_typeof(status) = 'object'),
  seen_at timestamptz not null
);
