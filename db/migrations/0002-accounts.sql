-- Accounts: profiles, verified addresses, changing an address, forgotten passwords, registration, and outgoing mail.

-- When the person was shown to own the address; null: only somebody else's word.
alter table app_user add column email_verified_at timestamptz;
-- The row of a deleted account stays, without name, address and password: what it made points to it.
alter table app_user add column deleted_at timestamptz;

create table profile (
  user_id text primary key references app_user (id) on delete cascade,
  -- BCP 47; dates and numbers are written this way.
  language text not null,
  -- IANA name; null: that of the browser.
  time_zone text,
  theme text not null check (theme in ('light', 'dark', 'system')),
  avatar bytea,
  -- By its first bytes, never by what the sender said.
  avatar_type text check (avatar_type in ('image/png', 'image/jpeg', 'image/webp')),
  avatar_hash text,
  check ((avatar is null) = (avatar_type is null) and (avatar is null) = (avatar_hash is null))
);

-- A change of address counts when both addresses have confirmed. One at a time.
create table email_change (
  user_id text primary key references app_user (id) on delete cascade,
  email text not null,
  old_token_hash bytea not null unique,
  new_token_hash bytea not null unique,
  old_confirmed_at timestamptz,
  new_confirmed_at timestamptz,
  created_at timestamptz not null,
  expires_at timestamptz not null
);

-- Without a person: somebody asked for an address that nobody has; such a row opens nothing.
create table password_reset (
  token_hash bytea primary key,
  user_id text references app_user (id) on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index password_reset_user on password_reset (user_id, created_at);
create index password_reset_expires on password_reset (expires_at);

create table registration_code (
  id text primary key,
  code_hash bytea not null unique,
  -- First characters, to recognise it.
  prefix text not null,
  note text not null,
  -- What whoever registers with it joins, and as what; null: nothing.
  organization_id text references organization (id) on delete cascade,
  role text check (role in ('owner', 'admin', 'operator', 'member', 'viewer')),
  uses_max integer not null check (uses_max > 0),
  uses integer not null default 0 check (uses >= 0 and uses <= uses_max),
  created_by text not null references app_user (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  check ((organization_id is null) = (role is null))
);
create index registration_code_organization on registration_code (organization_id);

-- Somebody gave an address; the link in the mail makes the account. `email` null: the address has an account already,
-- the row only holds the use of the code so that both cases look alike.
create table registration (
  id text primary key,
  email text unique,
  token_hash bytea not null unique,
  code_id text references registration_code (id) on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index registration_expires on registration (expires_at);
create index registration_code_of on registration (code_id);

-- The one mail server of the installation.
create table mail_server (
  id text primary key check (id = 'main'),
  host text not null,
  port integer not null check (port between 1 and 65535),
  -- 'plain' never goes with a password.
  security text not null check (security in ('tls', 'starttls', 'plain')),
  username text,
  -- Sealed; the place is (mail_server, main, password_sealed).
  password_sealed text,
  -- PEM of an authority of one's own; null: those the system trusts.
  ca_certificate text,
  from_address text not null,
  from_name text not null,
  updated_at timestamptz not null,
  check (security <> 'plain' or password_sealed is null)
);

-- Outgoing mail. A row is claimed with `for update skip locked`, so that one replica sends it; a claim that ends without
-- a result (the process died) is taken up by another.
create table mail (
  id text primary key,
  kind text not null,
  recipient text not null,
  user_id text references app_user (id) on delete cascade,
  organization_id text references organization (id) on delete cascade,
  -- Whose link it is: an invitation, a registration, a reset, a side of a change of address.
  about text,
  -- Somebody other than the recipient saw the link: following it proves nothing about the address.
  shown_at timestamptz,
  subject text not null,
  -- Sealed text, HTML and link; the place is (mail, id, content_sealed). Gone when sent or too old.
  content_sealed text,
  state text not null check (state in ('queued', 'sent', 'dead', 'expired')),
  attempts integer not null default 0,
  next_at timestamptz not null,
  claimed_until timestamptz,
  error text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  check (state in ('queued', 'dead') or content_sealed is null)
);
create index mail_due on mail (next_at) where state = 'queued';
create index mail_created on mail (created_at desc, id desc);
create index mail_user on mail (user_id);
create index mail_organization on mail (organization_id);
create index mail_about on mail (about);
