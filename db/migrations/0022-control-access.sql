-- From where the control plane may be entered (V6): edge guards screens, terminals and sign-ins by it, as the server does the rest.
create view edge_control_access as select value from setting where key = 'control.access';

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_edge') then
    grant select on edge_control_access to berth_edge;
  end if;
end
$$;
