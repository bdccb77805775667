-- Second factors: one-time codes of an authenticator app, passkeys, recovery codes; sign-ins in progress; the
-- organization's rule that its members have a second factor; when somebody last confirmed who they are.

alter table app_user add column second_factor boolean not null default false;
alter table organization add column second_factor_required boolean not null default false;
-- Set when the session begins and by every later confirmation; a token inherits it from the session that made it.
alter table session add column confirmed_at timestamptz;
alter table api_token add column confirmed_at timestamptz;

create table totp (
  user_id text primary key references app_user (id) on delete cascade,
  -- Sealed; the place is (totp, user_id, secret_sealed).
  secret_sealed text not null,
  created_at timestamptz not null,
  -- Null until the first code was given: it does not count yet.
  confirmed_at timestamptz,
  -- Number of the last 30-second step that was used; codes of it and of earlier ones are refused.
  last_step bigint
);

create table recovery_code (
  user_id text not null references app_user (id) on delete cascade,
  code_hash bytea not null,
  created_at timestamptz not null,
  used_at timestamptz,
  primary key (user_id, code_hash)
);

create table passkey (
  id text primary key,
  user_id text not null references app_user (id) on delete cascade,
  credential_id text not null unique,
  public_key bytea not null,
  counter bigint not null check (counter >= 0),
  transports jsonb not null,
  name text not null,
  -- Whether the platform keeps copies of it on other devices of the person.
  synced boolean not null,
  created_at timestamptz not null,
  last_used_at timestamptz
);
create index passkey_user on passkey (user_id);

-- The first step is done (`factor`) or a passkey was asked for (`passkey`); no session yet. The secret is in a cookie.
create table sign_in (
  id text primary key,
  purpose text not null check (purpose in ('factor', 'passkey')),
  token_hash bytea not null unique,
  user_id text references app_user (id) on delete cascade,
  -- What the first step was: password, an outside identity.
  method text not null,
  user_agent text not null,
  attempts integer not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  check ((purpose = 'factor') = (user_id is not null))
);
create index sign_in_expires on sign_in (expires_at);

-- Challenges for passkeys. Each is for one purpose and one owner: a sign-in in progress, or a person.
create table passkey_challenge (
  challenge_hash bytea primary key,
  purpose text not null check (purpose in ('register', 'confirm', 'factor', 'passkey')),
  sign_in_id text references sign_in (id) on delete cascade,
  user_id text references app_user (id) on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  check ((purpose in ('factor', 'passkey')) = (sign_in_id is not null)),
  check ((purpose in ('register', 'confirm')) = (user_id is not null))
);
create index passkey_challenge_expires on passkey_challenge (expires_at);
