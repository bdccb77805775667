-- Rules may name security groups as sources; rules from before name none.
update security_group
   set rules = (select coalesce(jsonb_agg('{"groups": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));
update egress_policy
   set rules = (select coalesce(jsonb_agg('{"groups": []}'::jsonb || rule order by position), '[]')
                  from jsonb_array_elements(rules) with ordinality as r (rule, position));
