-- Outside identity: providers, linked identities, sign-ins on their way, which session came from where, roles by claims.
-- Berth as an OpenID provider: its clients, and the records of the provider library.

-- An account that was made by an identity provider has no password until its person chooses one.
alter table app_user alter column password_hash drop not null;

create table identity_provider (
  id text primary key,
  -- Part of the address that is registered at the provider: it never changes.
  name text not null unique,
  title text not null,
  kind text not null check (kind in ('oidc', 'google', 'github', 'gitlab', 'microsoft', 'keycloak', 'authentik')),
  issuer text not null,
  client_id text not null,
  -- Sealed; the place is (identity_provider, id, client_secret_sealed). Null: a public client.
  client_secret_sealed text,
  scopes text[] not null,
  enabled boolean not null,
  -- Who gets an account by signing in.
  provisioning text not null check (provisioning in ('nobody', 'invited', 'domains')),
  domains text[] not null,
  -- Name of the claim that lists groups; null: none.
  groups_claim text,
  -- [{value, organization, role}]
  role_mappings jsonb not null,
  recheck_minutes integer not null check (recheck_minutes between 1 and 1440),
  created_at timestamptz not null
);

create table linked_identity (
  id text primary key,
  provider_id text not null references identity_provider (id) on delete cascade,
  user_id text not null references app_user (id) on delete cascade,
  subject text not null,
  -- As the provider last said them; shown, never used to decide.
  email text,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  unique (provider_id, subject),
  unique (provider_id, user_id)
);
create index linked_identity_user on linked_identity (user_id);

-- A browser was sent to a provider and is expected back, once.
create table outside_sign_in (
  id text primary key,
  provider_id text not null references identity_provider (id) on delete cascade,
  state_hash bytea not null unique,
  -- Of the secret in the browser's cookie.
  browser_hash bytea not null,
  -- Sealed nonce and code verifier; the place is (outside_sign_in, id, secrets_sealed).
  secrets_sealed text not null,
  -- The session that links; null: signing in.
  session_id text references session (id) on delete cascade,
  return_to text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index outside_sign_in_expires on outside_sign_in (expires_at);

-- What keeps a session honest that an identity provider began: its session there, and a token to ask again with.
create table outside_session (
  id text primary key,
  identity_id text not null references linked_identity (id) on delete cascade,
  -- Null until the second step is done.
  session_id text unique references session (id) on delete cascade,
  -- The provider's name for its own session.
  sid text,
  token_kind text check (token_kind in ('refresh', 'access')),
  -- Sealed; the place is (outside_session, id, token_sealed).
  token_sealed text,
  token_expires_at timestamptz,
  created_at timestamptz not null,
  checked_at timestamptz not null,
  check ((token_kind is null) = (token_sealed is null))
);
create index outside_session_identity on outside_session (identity_id);
create index outside_session_checked on outside_session (checked_at);
alter table sign_in add column outside_session_id text references outside_session (id) on delete cascade;

-- Logout tokens that were taken: each works once.
create table logout_token (
  provider_id text not null references identity_provider (id) on delete cascade,
  token_hash bytea not null,
  expires_at timestamptz not null,
  primary key (provider_id, token_hash)
);

-- Roles that claims give now, and what the person held (null: was no member) before any claim gave something.
create table claim_role (
  identity_id text not null references linked_identity (id) on delete cascade,
  organization_id text not null references organization (id),
  role text not null check (role in ('owner', 'admin', 'operator', 'member', 'viewer', 'guest')),
  primary key (identity_id, organization_id)
);
create table claimed_membership (
  organization_id text not null,
  user_id text not null,
  base_role text check (base_role in ('owner', 'admin', 'operator', 'member', 'viewer', 'guest')),
  applied_role text not null,
  primary key (organization_id, user_id),
  foreign key (organization_id, user_id) references membership (organization_id, user_id) on delete cascade
);

-- Apps that sign people in with Berth.
create table oidc_client (
  id text primary key,
  title text not null,
  -- Whose app it is; null: of the installation, open to every account.
  organization_id text references organization (id),
  -- What app_grant.app names; null: every member of the organization who is not a guest.
  app text,
  -- Null: a public client, PKCE alone.
  secret_hash bytea,
  auth_method text not null check (auth_method in ('client_secret_basic', 'client_secret_post', 'none')),
  redirect_uris text[] not null,
  -- Our own: nobody is asked whether it may know who they are.
  first_party boolean not null,
  created_at timestamptz not null,
  check (app is null or organization_id is not null),
  check ((auth_method = 'none') = (secret_hash is null))
);

-- Records of the OpenID provider library. Ids are kept as digests, payloads sealed: (oidc_record, id, payload_sealed).
create table oidc_record (
  id text primary key,
  payload_sealed text not null,
  grant_hash text,
  uid_hash text,
  consumed_at timestamptz,
  expires_at timestamptz not null
);
create index oidc_record_grant on oidc_record (grant_hash) where grant_hash is not null;
create index oidc_record_uid on oidc_record (uid_hash) where uid_hash is not null;
create index oidc_record_expires on oidc_record (expires_at);

-- Whose session stands behind what an app was given: it ends with the session.
create table oidc_grant (
  grant_hash text primary key,
  client_id text not null references oidc_client (id) on delete cascade,
  session_id text not null references session (id) on delete cascade,
  expires_at timestamptz not null
);
create index oidc_grant_expires on oidc_grant (expires_at);
