-- Sessions and tokens: keys that sign and keys that seal, sessions of programs beside those of browsers, refresh tokens,
-- sign-ins of programs by a code that a person confirms, and scopes.

-- Keys that seal secrets in the database, themselves sealed with the master key. `next` is known to every replica before
-- it becomes `current`; `old` still opens what was sealed with it until everything is sealed anew.
create table sealing_key (
  id text primary key,
  key_sealed text not null,
  state text not null check (state in ('next', 'current', 'old')),
  created_at timestamptz not null,
  changed_at timestamptz not null
);
create unique index sealing_key_current on sealing_key (state) where state = 'current';
create unique index sealing_key_next on sealing_key (state) where state = 'next';

-- RSA keys that sign tokens. Each purpose has its own, so that no token of one can pass for one of the other.
create table signing_key (
  id text primary key,
  purpose text not null check (purpose in ('access', 'identity')),
  public_jwk jsonb not null,
  private_sealed text not null,
  created_at timestamptz not null,
  -- Published from the beginning, used to sign from here on.
  active_from timestamptz not null,
  -- Until then what it signed is accepted; null while no newer one took over.
  expires_at timestamptz
);
create index signing_key_purpose on signing_key (purpose, active_from desc);

-- A session is a browser that holds a cookie, or a program that holds refresh tokens.
alter table session add column kind text not null default 'browser' check (kind in ('browser', 'client'));
alter table session add column client text;
alter table session alter column token_hash drop not null;
-- The secret was renewed: for a moment requests under way may still read with the one before.
alter table session add column previous_hash bytea;
alter table session add column previous_until timestamptz;
-- What the person may do has changed: the next request gets a new secret.
alter table session add column renew boolean not null default false;
-- It ends here unless it is used before; null: no such limit.
alter table session add column idle_expires_at timestamptz;
-- Null: everything the person may do.
alter table session add column scopes text[];
alter table session add check ((kind = 'browser') = (token_hash is not null));
alter table session add check ((kind = 'client') = (client is not null));
create index session_previous on session (previous_hash) where previous_hash is not null;

alter table api_token add column scopes text[];

create table refresh_token (
  token_hash bytea primary key,
  session_id text not null references session (id) on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expires on refresh_token (expires_at);

-- A program asks to be signed in; a person confirms the user code in the console; the program polls with the device code.
create table device_login (
  id text primary key,
  device_hash bytea not null unique,
  user_code text not null unique,
  client text not null,
  scopes text[],
  address text not null,
  user_agent text not null,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied', 'used')),
  user_id text references app_user (id) on delete cascade,
  interval_seconds integer not null,
  polled_at timestamptz,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  confirmed_at timestamptz,
  check ((state in ('approved', 'used')) <= (user_id is not null))
);
create index device_login_expires on device_login (expires_at);

-- What edge may see.
create or replace view edge_session as
  select s.id, s.user_id, s.token_hash, least(s.expires_at, s.idle_expires_at) as expires_at, s.scopes
    from session s join app_user u on u.id = s.user_id
   where s.revoked_at is null and u.disabled_at is null;
create or replace view edge_api_token as
  select t.id, t.user_id, t.token_hash, t.expires_at, t.scopes
    from api_token t join app_user u on u.id = t.user_id
   where t.revoked_at is null and u.disabled_at is null;
-- The public halves only.
create view edge_signing_key as select id, public_jwk, expires_at from signing_key where purpose = 'access';

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_signing_key to berth_edge;
  end if;
end
$$;
