-- The audit log becomes a proof. Every entry brings the SHA-256 of its canonical JSON (domain/audit.ts); when its
-- transaction commits, it is linked to the one before it in the chain of its organization (or of the platform). The row
-- of the chain is locked last of all, so changes wait for each other only while they commit, and nothing that was rolled
-- back leaves a gap. Nobody changes or removes an entry but `audit_remove`, which leaves a tombstone.

alter table audit add column digest bytea check (octet_length(digest) = 32);
-- Entries written before this migration have none.
alter table audit add constraint audit_has_digest check (digest is not null) not valid;
-- Addresses and dotted names are taken apart, so that a part of them is found.
alter table audit add column search tsvector generated always as (
  to_tsvector('simple', translate(
    actor || ' ' || action || ' ' || target || ' ' || coalesce(target_id, '') || ' ' || coalesce(address, '') || ' ' ||
    coalesce(request_id, '') || ' ' || coalesce(user_agent, ''), '.@/:_-', '      ')) ||
  jsonb_to_tsvector('simple', coalesce(before, 'null'), '["string", "numeric"]') ||
  jsonb_to_tsvector('simple', coalesce(after, 'null'), '["string", "numeric"]')
) stored;
create index audit_search on audit using gin (search);

-- The end of every chain: how many entries it ever had, and the last link.
create table audit_chain (
  chain text primary key,
  position bigint not null,
  link bytea not null
);
create table audit_link (
  chain text not null,
  position bigint not null,
  seq bigint not null unique,
  link bytea not null,
  primary key (chain, position)
);
create table audit_key (
  -- RFC 7638 thumbprint.
  id text primary key,
  public_x text not null,
  -- Sealed; the place is (audit_key, id, private_sealed).
  private_sealed text not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);
create unique index audit_key_active on audit_key ((true)) where retired_at is null;
create table audit_head (
  chain text not null,
  position bigint not null,
  link text not null,
  at timestamptz not null,
  key_id text not null references audit_key (id),
  signature text not null,
  primary key (chain, position)
);
-- What retention removed, as it was signed.
create table audit_tombstone (
  chain text not null,
  to_position bigint not null,
  statement jsonb not null,
  primary key (chain, to_position)
);
-- What the server found when it checked a chain against its own database.
create table audit_check (
  chain text primary key,
  verified_to bigint not null,
  verified_at timestamptz not null,
  whole_at timestamptz not null,
  problem_position bigint,
  problem text
);
-- No row: the default of domain/audit.ts. Null days: nothing is ever removed.
create table audit_setting (
  chain text primary key,
  retention_days integer check (retention_days between 30 and 3650)
);

create function audit_link_of(chain text, number bigint, previous bytea, digest bytea) returns bytea
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select sha256(convert_to(
    'berth-audit-link-1' || e'\n' || chain || e'\n' || number || e'\n' || encode(previous, 'hex') || e'\n' || encode(digest, 'hex'),
    'UTF8'))
$$;

create function audit_append() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  name text := coalesce(new.organization_id, 'platform');
  number bigint;
  linked bytea;
begin
  insert into public.audit_chain as c (chain, position, link)
    values (name, 1, public.audit_link_of(name, 1, decode(repeat('00', 32), 'hex'), new.digest))
  on conflict (chain) do update
    set position = c.position + 1, link = public.audit_link_of(name, c.position + 1, c.link, new.digest)
  returning position, link into number, linked;
  insert into public.audit_link (chain, position, seq, link) values (name, number, new.seq, linked);
  return null;
end
$$;
-- Deferred: at commit, after everything else the transaction waits for.
create constraint trigger audit_append after insert on audit
  deferrable initially deferred for each row execute function audit_append();

-- Takes entries up to a position out of a chain and puts the signed tombstone in their place. Refuses what is younger
-- than 30 days, what does not begin at the oldest entry, and a tombstone that tells of something else.
create function audit_remove(of_chain text, up_to bigint, tombstone jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  oldest bigint;
  newest timestamptz;
  removed bigint;
begin
  perform pg_advisory_xact_lock(hashtext('audit_remove'), hashtext(of_chain));
  select min(l.position), max(a.at) into oldest, newest
    from public.audit_link l join public.audit a on a.seq = l.seq where l.chain = of_chain and l.position <= up_to;
  if oldest is null then return 0; end if;
  if newest > now() - interval '30 days' then
    raise exception 'entries younger than 30 days are not removed' using errcode = 'insufficient_privilege';
  end if;
  if (tombstone ->> 'chain', (tombstone ->> 'from')::bigint, (tombstone ->> 'to')::bigint, tombstone ->> 'link')
     is distinct from
     (of_chain, oldest, up_to, (select encode(link, 'hex') from public.audit_link where chain = of_chain and position = up_to)) then
    raise exception 'the tombstone does not tell of these entries' using errcode = 'insufficient_privilege';
  end if;
  perform set_config('berth.audit_remove', 'on', true);
  delete from public.audit where seq in (select seq from public.audit_link where chain = of_chain and position <= up_to);
  delete from public.audit_link where chain = of_chain and position <= up_to;
  get diagnostics removed = row_count;
  delete from public.audit_head where chain = of_chain and position < up_to;
  perform set_config('berth.audit_remove', 'off', true);
  insert into public.audit_tombstone (chain, to_position, statement) values (of_chain, up_to, tombstone);
  return removed;
end
$$;

revoke execute on function audit_remove(text, bigint, jsonb) from public;

-- A second wall, and the only one where the database has a single role: the tables refuse it whoever asks.
create function audit_refuse() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' and current_setting('berth.audit_remove', true) = 'on' then return null; end if;
  raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_only_added before update or delete or truncate on audit
  for each statement execute function audit_refuse();
create trigger audit_only_added before update or delete or truncate on audit_link
  for each statement execute function audit_refuse();
create trigger audit_only_added before update or delete or truncate on audit_head
  for each statement execute function audit_refuse();
create trigger audit_only_added before update or delete or truncate on audit_tombstone
  for each statement execute function audit_refuse();
create trigger audit_only_added before delete or truncate on audit_chain
  for each statement execute function audit_refuse();

-- Where the administrator of the database prepared it (host/postgres.ts does), the log goes to a role of its own, which
-- nobody can become: the server's role keeps reading and adding.
do $$
begin
  if to_regprocedure('berth_hand_over_audit()') is not null then perform berth_hand_over_audit(); end if;
end
$$;
