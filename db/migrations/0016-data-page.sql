-- What the data page of administrators may read, column by column: the list of domain/data.ts. The server takes the role
-- berth_data for it, inside a transaction that only reads. A database of one's own may lack the role; then there is no
-- data page.

do $$
begin
  if exists (select from pg_roles where rolname = 'berth_data') then
    grant usage on schema public to berth_data;
    grant select (id, name, title, created_at, second_factor_required, deleted_at) on organization to berth_data;
    grant select (id, organization_id, name, title, network_index, subnet4, subnet6, created_at) on project to berth_data;
    grant select (organization_id, user_id, role, joined_at) on membership to berth_data;
    grant select (id, email, name, email_verified_at, platform_admin, second_factor, service_of, created_at, disabled_at, deleted_at) on app_user to berth_data;
    grant select (id, organization_id, name, title, role, created_at) on user_group to berth_data;
    grant select (group_id, user_id, organization_id, added_at) on user_group_member to berth_data;
    grant select (project_id, subject, organization_id, role, created_at) on project_role to berth_data;
    grant select (id, organization_id, app, subject, permissions, granted_by, created_at) on app_grant to berth_data;
    grant select (id, organization_id, user_id, reason, created_at, expires_at, ended_at, ended_by) on tenant_entry to berth_data;
    grant select (id, user_id, kind, client, created_at, last_seen_at, expires_at, revoked_at, address) on session to berth_data;
    grant select (id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at) on api_token to berth_data;
    grant select (project_id, limit_instances, used_instances, limit_cpus, used_cpus, limit_memory_bytes, used_memory_bytes, limit_disk_bytes, used_disk_bytes, limit_routes, used_routes, limit_snapshots, used_snapshots) on quota to berth_data;
    grant select (id, organization_id, project_id, host_id, kind, name, phase, desired, observed, observed_at, health, health_at, drift, cpus, memory_bytes, disk_bytes, image_fingerprint, address4, address6, protected, operation_id, repair_attempts, created_by, created_at, archived_at, purge_at, version) on instance to berth_data;
    grant select (id, instance_id, project_id, name, state, created_by, created_at) on snapshot to berth_data;
    grant select (id, project_id, instance_id, hostname, port, visibility, enabled, is_primary, created_at) on route to berth_data;
    grant select (id, kind, title, state, target, project_id, instance_id, actor_kind, actor, error_code, error_message, created_at, started_at, finished_at) on operation to berth_data;
    grant select (operation_id, seq, name, state, attempts, percent, message, started_at, finished_at) on operation_step to berth_data;
    grant select (id, name, kind, source, state, fingerprint, size_bytes, error, built_at, version) on image to berth_data;
    grant select (id, name, state, facts, error, last_seen_at, created_at) on host to berth_data;
    grant select (id, kind, recipient, user_id, state, attempts, next_at, error, created_at, ended_at) on mail to berth_data;
    grant select (seq, at, kind, ref, organization_id, project_id, instance_id, version) on outbox to berth_data;
    grant select (id, started_at, seen_at) on replica to berth_data;
    grant select (subject, at, cpu, cpu_limit, memory, memory_limit, disk, disk_limit, processes) on metric_latest to berth_data;
  end if;
end
$$;
