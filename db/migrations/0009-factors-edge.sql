-- Who lacks the second factor that an organization asks for opens nothing of it: edge does not even hear of their access.
-- Groups keep theirs; the people in them are filtered one by one.
create view edge_lacks_second_factor as
  select o.id as organization_id, u.id as user_id
    from organization o, app_user u
   where o.second_factor_required and not u.second_factor;

alter view edge_access rename to edge_access_of_everybody;
create view edge_access as
  select a.* from edge_access_of_everybody a
   where not exists (select from edge_lacks_second_factor l
                      where l.organization_id = a.organization_id and l.user_id = a.subject);

alter view edge_group_member rename to edge_group_member_of_everybody;
create view edge_group_member as
  select g.* from edge_group_member_of_everybody g
   where not exists (select from edge_lacks_second_factor l
                      where l.organization_id = g.organization_id and l.user_id = g.user_id);

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    revoke all on edge_lacks_second_factor, edge_access_of_everybody, edge_group_member_of_everybody from berth_edge;
    grant select on edge_access, edge_group_member to berth_edge;
  end if;
end
$$;
