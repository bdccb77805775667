/** Rows of `operation` and `operation_step` as records. */
import type { ImageId, InstanceId, OperationId, OrganizationId, ProjectId } from '#domain/ids.ts';
import type { OperationKind, OperationState, StepState } from '#domain/operations.ts';

export type OperationRecord = {
  id: OperationId;
  kind: OperationKind;
  title: string;
  state: OperationState;
  organization: OrganizationId | null;
  project: ProjectId | null;
  instance: InstanceId | null;
  image: ImageId | null;
  target: string;
  actorKind: string;
  actorId: string | null;
  actor: string;
  requestId: string | null;
  input: unknown;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  error: { code: string; message: string } | null;
  /** Somebody asked for its end. */
  stop: { at: Date; by: string } | null;
};

export type OperationStepRecord = {
  name: string;
  title: string;
  state: StepState;
  startedAt: Date | null;
  finishedAt: Date | null;
  attempts: number;
  percent: number | null;
  message: string | null;
};

export type OperationWithSteps = OperationRecord & { steps: OperationStepRecord[] };

export type NewOperation = Pick<
  OperationRecord,
  | 'id'
  | 'kind'
  | 'title'
  | 'organization'
  | 'project'
  | 'instance'
  | 'image'
  | 'target'
  | 'actorKind'
  | 'actorId'
  | 'actor'
  | 'requestId'
  | 'input'
>;

export type OperationRow = {
  id: string;
  kind: string;
  title: string;
  state: string;
  organization_id: string | null;
  project_id: string | null;
  instance_id: string | null;
  image_id: string | null;
  target: string;
  actor_kind: string;
  actor_id: string | null;
  actor: string;
  request_id: string | null;
  input: unknown;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  error_code: string | null;
  error_message: string | null;
  stop_asked_at: Date | null;
  stop_asked_by: string | null;
};

export function rowToOperation(row: OperationRow): OperationRecord {
  return {
    id: row.id as OperationId,
    kind: row.kind as OperationKind,
    title: row.title,
    state: row.state as OperationState,
    organization: row.organization_id as OrganizationId | null,
    project: row.project_id as ProjectId | null,
    instance: row.instance_id as InstanceId | null,
    image: row.image_id as ImageId | null,
    target: row.target,
    actorKind: row.actor_kind,
    actorId: row.actor_id,
    actor: row.actor,
    requestId: row.request_id,
    input: row.input,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? '' },
    stop: row.stop_asked_at === null ? null : { at: row.stop_asked_at, by: row.stop_asked_by ?? '' },
  };
}
