-- A person may stop an operation that runs a command inside a guest: what was asked stands in its row, so that it is
-- heeded after a restart too. Nothing ever ended as "cancelled".
alter table operation drop constraint operation_state_check;
alter table operation add constraint operation_state_check
  check (state in ('pending', 'running', 'succeeded', 'failed', 'stopped'));
alter table operation
  add column stop_asked_at timestamptz,
  add column stop_asked_by text,
  add constraint operation_stop_asked check ((stop_asked_at is null) = (stop_asked_by is null));
alter table operation_step drop constraint operation_step_state_check;
alter table operation_step add constraint operation_step_state_check
  check (state in ('pending', 'running', 'succeeded', 'failed', 'undone', 'skipped', 'stopped'));
