-- The key that signs the audit log can be replaced. The one that goes loses its private half at once: nobody can sign
-- with it again, its public half goes on checking what it signed. Before it goes it names the next one.

alter table audit_key alter column private_sealed drop not null;
alter table audit_key add constraint audit_key_private_while_active
  check ((private_sealed is null) = (retired_at is not null));
-- The word of the key before this one (domain/audit.ts, AuditSuccession). Null: the first key, or one that follows a key
-- that may be known to somebody.
alter table audit_key add column succession jsonb;
