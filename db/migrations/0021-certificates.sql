-- What a look at the HTTPS port showed of the certificate of a host name. Observed only: Caddy keeps the certificates.
create table certificate (
  hostname text primary key,
  state text not null check (state in ('valid', 'none')),
  issuer text,
  expires_at timestamptz,
  -- Why there is none, for people.
  problem text,
  checked_at timestamptz not null,
  check ((state = 'valid') = (expires_at is not null))
);
