/** Rows of `instance` as records, and what a page shows of one. */
import type { Selectable } from 'kysely';
import type { HostId, ImageId, InstanceId, OperationId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type {
  DesiredState,
  HealthCheck,
  HealthState,
  InstanceKind,
  InstancePhase,
  ObservedState,
} from '#domain/instances.ts';
import type { Size } from '#domain/sizes.ts';
import type { InstanceViewRow } from './instances.ts';
import type { Tables } from './tables.ts';

export type InstanceRecord = {
  id: InstanceId;
  organization: OrganizationId;
  project: ProjectId;
  host: HostId | null;
  kind: InstanceKind;
  name: string;
  description: string;
  phase: InstancePhase;
  size: Size;
  image: ImageId;
  imageFingerprint: string | null;
  hostNumber: number;
  address4: string;
  address6: string;
  desired: DesiredState;
  desiredBeforeArchive: DesiredState | null;
  protected: boolean;
  createdBy: UserId;
  createdAt: Date;
  archivedAt: Date | null;
  purgeAt: Date | null;
  operation: OperationId | null;
  observed: ObservedState;
  observedAt: Date | null;
  observedSize: Size | null;
  health: HealthState;
  healthChecks: HealthCheck[];
  healthAt: Date | null;
  drift: string | null;
  repairAttempts: number;
  repairAfter: Date | null;
  usage: { memoryBytes?: number | null; diskBytes?: number | null; processes?: number | null };
  startedAt: Date | null;
  version: number;
};

export type InstanceView = InstanceRecord & {
  imageName: string;
  createdByName: string;
  hostName: string | null;
  /** Host name of the primary route, while it has one. */
  primaryHostname: string | null;
  busyWith: { title: string; step: string | null; percent: number | null } | null;
};

export function rowToInstance(row: Selectable<Tables['instance']>): InstanceRecord {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    host: row.host_id,
    kind: row.kind,
    name: row.name,
    description: row.description,
    phase: row.phase,
    size: { cpus: row.cpus, memoryBytes: row.memory_bytes, diskBytes: row.disk_bytes },
    image: row.image_id,
    imageFingerprint: row.image_fingerprint,
    hostNumber: row.host_number,
    address4: row.address4,
    address6: row.address6,
    desired: row.desired,
    desiredBeforeArchive: row.desired_before_archive,
    protected: row.protected,
    createdBy: row.created_by,
    createdAt: row.created_at,
    archivedAt: row.archived_at,
    purgeAt: row.purge_at,
    operation: row.operation_id,
    observed: row.observed,
    observedAt: row.observed_at,
    observedSize: row.observed_size,
    health: row.health,
    healthChecks: row.health_checks,
    healthAt: row.health_at,
    drift: row.drift,
    repairAttempts: row.repair_attempts,
    repairAfter: row.repair_after,
    usage: row.usage,
    startedAt: row.started_at,
    version: row.version,
  };
}

export function rowToView(row: InstanceViewRow): InstanceView {
  return {
    ...rowToInstance(row),
    imageName: row.image_name,
    createdByName: row.created_by_name,
    hostName: row.host_name,
    primaryHostname: row.primary_hostname,
    busyWith:
      row.operation_title === null
        ? null
        : { title: row.operation_title, step: row.step_title, percent: row.step_percent },
  };
}
