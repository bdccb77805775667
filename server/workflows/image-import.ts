/** Import an image from a file or an image server, and allow it. */
import type { InstanceDriver } from '#drivers/interface.ts';
import { type Trx, transact } from '../store/database.ts';
import { changeImage } from '../store/images.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { allowStep, imageOf } from './image-build.ts';

export type ImageImportInput = { source: Parameters<InstanceDriver['importImage']>[0] };

/** No undo: what was imported is nothing until it is allowed; deleting the failed row removes it. */
const importStep: Step<ImageImportInput> = {
  name: 'import',
  title: 'Import it',
  attempts: 3,
  async do(context) {
    const { services, operation } = context;
    const image = await imageOf(context);
    const imported = await services.driver.importImage(operation.input.source, {
      name: image.name,
      kind: image.kind,
      description: image.title,
    });
    await transact(services.db, (tx) =>
      changeImage(tx, image.id, {
        fingerprint: imported.fingerprint,
        size_bytes: imported.sizeBytes,
        built_at: new Date(imported.createdAt),
      }),
    );
  },
};

async function succeeded(tx: Trx, { operation }: StepContext<ImageImportInput>): Promise<void> {
  if (operation.image !== null) await changeImage(tx, operation.image, { state: 'ready', error: null });
}

async function failed(
  tx: Trx,
  { operation }: StepContext<ImageImportInput>,
  error: { message: string },
): Promise<void> {
  if (operation.image !== null) await changeImage(tx, operation.image, { state: 'failed', error: error.message });
}

export const imageImport: Workflow<ImageImportInput> = {
  steps: [importStep, allowStep as Step<ImageImportInput>],
  succeeded,
  failed,
};
