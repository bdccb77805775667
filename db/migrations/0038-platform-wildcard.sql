-- One certificate for the platform's own domain and every name directly below it (V5), kept beside those of claimed
-- domains: a row that belongs to no domain and carries its name itself.
alter table wildcard_certificate add column id text;
update wildcard_certificate set id = domain_id;
alter table wildcard_certificate
  drop constraint wildcard_certificate_pkey,
  add primary key (id),
  alter column domain_id drop not null,
  add column platform_domain text,
  add constraint wildcard_certificate_whose check (
    (id = 'platform' and domain_id is null and platform_domain is not null) or (id is not distinct from domain_id and platform_domain is null)
  );
create unique index wildcard_certificate_domain on wildcard_certificate (domain_id);

-- Its challenge is in a zone of the installation: no organization's.
alter table dns_record alter column organization_id drop not null;

create or replace view edge_wildcard as
  select coalesce(d.name, w.platform_domain) as name, w.bundle from wildcard_certificate w left join domain d on d.id = w.domain_id
   where w.bundle is not null and (w.domain_id is null or d.wildcard);
