-- SSH keys of people.

create table ssh_key (
  id text primary key,
  user_id text not null references app_user (id) on delete cascade,
  label text not null,
  -- As in `ssh-ed25519 <public_key>`; only kinds and sizes of domain/ssh.ts get here.
  type text not null,
  bits integer not null,
  public_key text not null,
  -- 'SHA256:...' as ssh-keygen -l shows it. A key proves one person, so it belongs to one account.
  fingerprint text not null unique,
  created_at timestamptz not null,
  last_used_at timestamptz,
  last_used_address text
);
create index ssh_key_user on ssh_key (user_id);
create trigger people_only before insert or update of user_id on ssh_key
  for each row execute function refuse_service_account();
