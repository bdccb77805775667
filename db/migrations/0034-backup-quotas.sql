-- Backups count twice: how many there are, and what their repositories take on the host.
alter table quota
  add column limit_backups bigint check (limit_backups >= 0),
  add column limit_backup_bytes bigint check (limit_backup_bytes >= 0),
  add column used_backups bigint not null default 0 check (used_backups >= 0),
  add column used_backup_bytes bigint not null default 0 check (used_backup_bytes >= 0);
update quota set limit_backups = 100, limit_backup_bytes = 200 * 1073741824::bigint;
alter table quota alter column limit_backups set not null, alter column limit_backup_bytes set not null;

alter table organization_quota
  add column limit_backups bigint check (limit_backups >= 0),
  add column limit_backup_bytes bigint check (limit_backup_bytes >= 0),
  add column used_backups bigint not null default 0 check (used_backups >= 0),
  add column used_backup_bytes bigint not null default 0 check (used_backup_bytes >= 0);
update organization_quota set limit_backups = 5000, limit_backup_bytes = 10000 * 1073741824::bigint;
alter table organization_quota alter column limit_backups set not null, alter column limit_backup_bytes set not null;
