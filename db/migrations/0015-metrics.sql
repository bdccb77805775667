-- Metrics of hosts and instances. `metric_latest` holds what was seen last, with the engine's counters, so that rates go
-- on after a restart. `metric_point` holds the history in four widths (`tier`, seconds): each is made from the one
-- before it and forgotten after its own time (domain/metrics.ts). No foreign keys: a hundred rows come every ten
-- seconds, and each would lock the instance's row; what belongs to nothing any more goes with its age or its instance.

create table metric_latest (
  subject text primary key,
  at timestamptz not null,
  cpu_seconds double precision not null,
  read_bytes double precision,
  written_bytes double precision,
  received_bytes double precision not null,
  sent_bytes double precision not null,
  cpu double precision,
  cpu_limit double precision,
  memory double precision not null,
  memory_limit double precision,
  disk double precision,
  disk_limit double precision,
  read double precision,
  written double precision,
  received double precision,
  sent double precision,
  processes double precision
) with (fillfactor = 50);

create table metric_point (
  subject text not null,
  tier integer not null check (tier in (10, 60, 3600, 86400)),
  at timestamptz not null,
  -- Of how many samples it is made, and how many of them had rates: the weights of averages of averages.
  samples integer not null,
  rated integer not null,
  cpu double precision,
  cpu_max double precision,
  cpu_limit double precision,
  memory double precision,
  memory_max double precision,
  memory_limit double precision,
  disk double precision,
  disk_limit double precision,
  read double precision,
  read_max double precision,
  written double precision,
  written_max double precision,
  received double precision,
  received_max double precision,
  sent double precision,
  sent_max double precision,
  processes double precision,
  processes_max double precision,
  primary key (subject, tier, at)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1);
-- What is rolled up, and what is too old: one range of one tier.
create index metric_point_age on metric_point (tier, at);
