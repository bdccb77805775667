-- An instance on its way into another project: what is promised to it there. The row exists while the operation runs; the
-- instance itself stays where it was until the end, so that a move that fails leaves no trace.
create table instance_transfer (
  instance_id text primary key references instance (id),
  operation_id text not null references operation (id) deferrable initially deferred,
  organization_id text not null references organization (id),
  project_id text not null references project (id),
  name text not null,
  host_number integer not null,
  address4 text not null unique,
  address6 text not null,
  created_at timestamptz not null default now(),
  unique (project_id, host_number)
);
create unique index instance_transfer_name on instance_transfer (project_id, name);

-- A promised name is as good as taken. The lock makes two who want one name wait for each other, whichever table they
-- write; each statement after it sees what the other committed.
create function instance_name_promised() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.project_id || '/' || new.name, 10));
  if exists (select from instance_transfer t
              where t.project_id = new.project_id and t.name = new.name and t.instance_id <> new.id) then
    raise exception 'the name % is promised to another instance', new.name
      using errcode = 'unique_violation', constraint = 'instance_name';
  end if;
  return new;
end
$$;
create trigger instance_name_promised before insert on instance
  for each row when (new.phase in ('creating', 'ready')) execute function instance_name_promised();
create trigger instance_name_promised_later before update of name, project_id, phase on instance
  for each row when (new.phase in ('creating', 'ready') and (new.name, new.project_id, new.phase) is distinct from
    (old.name, old.project_id, old.phase))
  execute function instance_name_promised();

create function instance_transfer_name_free() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.project_id || '/' || new.name, 10));
  if exists (select from instance i
              where i.project_id = new.project_id and i.name = new.name and i.phase in ('creating', 'ready')) then
    raise exception 'the name % is taken', new.name
      using errcode = 'unique_violation', constraint = 'instance_transfer_name';
  end if;
  return new;
end
$$;
create trigger instance_transfer_name_free before insert on instance_transfer
  for each row execute function instance_transfer_name_free();
