-- Rules name domains, and what leaves instances is kept.

-- Rules from before have no names.
update security_group
   set rules = (select coalesce(jsonb_agg('{"names": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));
update egress_policy
   set rules = (select coalesce(jsonb_agg('{"names": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));

-- One row for each instance, hour, destination and verdict. No foreign keys: many rows come every ten seconds, and each
-- would lock the instance's row; what belongs to nothing any more goes with its age or its instance.
create table flow (
  instance_id text not null,
  hour timestamptz not null,
  verdict text not null check (verdict in ('allowed', 'denied')),
  -- Empty: destinations beyond the bound, together.
  address text not null,
  protocol text not null check (protocol in ('tcp', 'udp', 'icmp', 'other', 'any')),
  port integer not null,
  project_id text not null,
  name text,
  connections bigint not null,
  sent_bytes bigint not null,
  received_bytes bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (instance_id, hour, verdict, address, protocol, port)
) with (fillfactor = 70);
create index flow_by_project on flow (project_id, last_at desc);
create index flow_by_instance on flow (instance_id, last_at desc);
create index flow_age on flow (hour);

-- The piece that was taken over last from each host: the same piece is never counted twice.
create table flow_batch (
  host_id text primary key references host (id) on delete cascade,
  batch text not null
);
