-- The second factor at the SSH gateway, where an organization asks for one (V4).

-- A connection whose person has given theirs after a key. Kept as long as the connection may live (server/store/sweep.ts).
create table ssh_factor (
  session_id text primary key,
  user_id text not null references app_user (id) on delete cascade,
  passed_at timestamptz not null
);
create index ssh_factor_user on ssh_factor (user_id);

-- What edge may see.
create view edge_ssh_factor as select session_id, user_id from ssh_factor;
create view edge_factor_organization as
  select id from organization where second_factor_required and deleted_at is null;

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_ssh_factor, edge_factor_organization to berth_edge;
  end if;
end
$$;
