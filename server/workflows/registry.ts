/** Every operation kind with its workflow: one map, one durable body. */
import type { OperationId } from '#domain/ids.ts';
import type { OperationKind } from '#domain/operations.ts';
import type { Run, RunBody } from '../runtime/workflows.ts';
import { find } from '../store/operations.ts';
import { backupCreate } from './backup-create.ts';
import { backupDelete } from './backup-delete.ts';
import { backupRecover } from './backup-recover.ts';
import { backupRestore } from './backup-restore.ts';
import { backupVerify } from './backup-verify.ts';
import { dockerClean } from './docker-clean.ts';
import { type AnyWorkflow, patiently, runOperation } from './engine.ts';
import { filesPack } from './files-pack.ts';
import { filesUnpack } from './files-unpack.ts';
import { imageBuild } from './image-build.ts';
import { imageDelete } from './image-delete.ts';
import { imageImport } from './image-import.ts';
import { instanceArchive } from './instance-archive.ts';
import { instanceClone } from './instance-clone.ts';
import { instanceCreate } from './instance-create.ts';
import { instancePower } from './instance-power.ts';
import { instancePurge } from './instance-purge.ts';
import { instanceRename } from './instance-rename.ts';
import { instanceResize } from './instance-resize.ts';
import { instanceRestore } from './instance-restore.ts';
import { instanceTransfer } from './instance-transfer.ts';
import type { Services } from './services.ts';
import { snapshotCreate } from './snapshot-create.ts';
import { snapshotDelete } from './snapshot-delete.ts';
import { snapshotRestore } from './snapshot-restore.ts';
import { stackRun } from './stack-run.ts';

export const workflows: Record<OperationKind, AnyWorkflow> = {
  'instance.create': instanceCreate,
  'instance.start': instancePower('start'),
  'instance.stop': instancePower('stop'),
  'instance.restart': instancePower('restart'),
  'instance.pause': instancePower('pause'),
  'instance.resume': instancePower('resume'),
  'instance.resize': instanceResize,
  'instance.rename': instanceRename,
  'instance.clone': instanceClone,
  'instance.archive': instanceArchive,
  'instance.restore': instanceRestore,
  'instance.purge': instancePurge,
  'instance.transfer': instanceTransfer,
  'snapshot.create': snapshotCreate,
  'snapshot.restore': snapshotRestore,
  'snapshot.delete': snapshotDelete,
  'backup.create': backupCreate,
  'backup.restore': backupRestore,
  'backup.recover': backupRecover,
  'backup.delete': backupDelete,
  'backup.verify': backupVerify,
  'stack.up': stackRun('up'),
  'stack.down': stackRun('down'),
  'stack.restart': stackRun('restart'),
  'stack.pull': stackRun('pull'),
  'docker.clean': dockerClean,
  'files.pack': filesPack,
  'files.unpack': filesUnpack,
  'image.build': imageBuild,
  'image.import': imageImport,
  'image.delete': imageDelete,
};

/** Changes how the steps of a run are carried out; for tests. */
export type WrapRun = (kind: OperationKind, run: Run) => Run;

/** The body of every durable run: the run's id is the operation's. */
export function operationBody(services: Services, wrap?: WrapRun): RunBody {
  return async (run) => {
    const operation = await patiently(services, () => find(services.db, run.id as OperationId));
    if (operation === null) return;
    const { kind } = operation;
    await runOperation(workflows[kind], services, wrap === undefined ? run : wrap(kind, run), operation);
  };
}
