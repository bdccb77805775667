-- Service accounts: principals of an organization that are no people. They hold memberships, groups, roles in projects
-- and grants as people do, which is why they share the table, and nothing that only people have.

-- The organization it belongs to; null: a person.
alter table app_user add column service_of text references organization (id);
-- `service:<name>` stands where people have an address: no address can look like it, so none finds it.
alter table app_user add constraint app_user_service_handle
  check ((service_of is not null) = (email like 'service:%'));
alter table app_user add constraint app_user_service_bare
  check (service_of is null
         or (password_hash is null and not platform_admin and not second_factor and email_verified_at is null));
-- An address belongs to one person, a name to one service account of an organization.
alter table app_user drop constraint app_user_email_key;
create unique index app_user_email_key on app_user (email, service_of) nulls not distinct;
create index app_user_service_of on app_user (service_of) where service_of is not null;

-- Goes when the account is deleted; the row in app_user stays, because what it made points to it.
create table service_account (
  user_id text primary key references app_user (id),
  description text not null,
  -- Who made it; it does not end with them.
  created_by text not null references app_user (id)
);

-- Where a token was last used from.
alter table api_token add column last_used_address text;

-- Whatever the code above it does: no way to sign in, no mail, no page.
create function refuse_service_account() returns trigger language plpgsql as $$
begin
  if new.user_id is not null
     and exists (select from app_user u where u.id = new.user_id and u.service_of is not null) then
    raise exception 'a service account has no %', tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger people_only before insert or update of user_id on session
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on sign_in
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on device_login
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on password_reset
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on email_change
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on linked_identity
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on totp
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on passkey
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on recovery_code
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on profile
  for each row execute function refuse_service_account();
create trigger people_only before insert or update of user_id on mail
  for each row execute function refuse_service_account();

-- It belongs to its organization alone and is never an owner of it.
create function keep_service_account_home() returns trigger language plpgsql as $$
begin
  if exists (select from app_user u where u.id = new.user_id and u.service_of is not null
              and (u.service_of <> new.organization_id or new.role = 'owner')) then
    raise exception 'a service account is no owner and has one organization' using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger service_account_home before insert or update on membership
  for each row execute function keep_service_account_home();

-- A rule about second factors is one for people.
create or replace view edge_lacks_second_factor as
  select o.id as organization_id, u.id as user_id
    from organization o, app_user u
   where o.second_factor_required and not u.second_factor and u.service_of is null;
