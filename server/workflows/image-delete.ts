/**
 * Delete an image: off the allow-list first, so that nobody starts it any more, then out of the engine. A recipe's row
 * stays (absent: it can be built again), an imported one's goes.
 */
import { type Trx, transact } from '../store/database.ts';
import { changeImage, deleteImageRow, findImage, lockImage } from '../store/images.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { pushAllowList } from './image-build.ts';

/** `fingerprint` is what is removed; null when it was never built. */
export type ImageDeleteInput = { fingerprint: string | null };

const disallowStep: Step<ImageDeleteInput> = {
  name: 'disallow',
  title: 'Take it off the allow-list',
  async do({ services, operation }) {
    const { image } = operation;
    if (image !== null) await transact(services.db, (tx) => changeImage(tx, image, { state: 'absent' }));
    await pushAllowList(services);
  },
  async undo({ services, operation }) {
    const image = operation.image === null ? null : await findImage(services.db, operation.image);
    if (image === null || image.fingerprint === null) return;
    // Usable again only if the engine still has it.
    const present = (await services.driver.images()).some((entry) => entry.fingerprint === image.fingerprint);
    await transact(services.db, (tx) =>
      changeImage(tx, image.id, present ? { state: 'ready' } : { state: 'absent', fingerprint: null }),
    );
    await pushAllowList(services);
  },
};

/** No undo: it goes only when it really is gone. */
const removeStep: Step<ImageDeleteInput> = {
  name: 'remove',
  title: 'Remove it from the engine',
  async do({ services, operation }) {
    const { fingerprint } = operation.input;
    if (fingerprint === null) return;
    if ((await services.driver.images()).some((image) => image.fingerprint === fingerprint)) {
      await services.driver.deleteImage(fingerprint);
    }
  },
};

async function succeeded(tx: Trx, { operation }: StepContext<ImageDeleteInput>): Promise<void> {
  const image = operation.image === null ? null : await lockImage(tx, operation.image);
  if (image === null) return;
  if (image.source === 'recipe') {
    await changeImage(tx, image.id, {
      state: 'absent',
      fingerprint: null,
      built_recipe_hash: null,
      size_bytes: null,
      built_at: null,
      error: null,
    });
  } else {
    await deleteImageRow(tx, image.id);
  }
}

export const imageDelete: Workflow<ImageDeleteInput> = { steps: [disallowStep, removeStep], succeeded };
