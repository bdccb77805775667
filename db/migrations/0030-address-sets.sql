-- Named lists of addresses that rules use.

create table address_set (
  project_id text not null references project (id) on delete cascade,
  name text not null,
  organization_id text not null references organization (id),
  description text not null default '',
  ranges jsonb not null,
  created_at timestamptz not null default now(),
  primary key (project_id, name)
);

-- Rules from before use none.
update security_group
   set rules = (select coalesce(jsonb_agg('{"sets": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));
update egress_policy
   set rules = (select coalesce(jsonb_agg('{"sets": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));
