/** Build an image from its recipe: build (with live percent), record and allow it, remove the one it replaces. */
import { BerthError } from '#domain/errors.ts';
import type { ImageId, OperationId } from '#domain/ids.ts';
import type { Actor } from '../store/authorized.ts';
import { type Trx, transact } from '../store/database.ts';
import { allowedFingerprints, changeImage, findImage, lockImage } from '../store/images.ts';
import { openForImage } from '../store/operations.ts';
import { acceptOperation } from './accept.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import type { Services } from './services.ts';

/** `replaces` is the fingerprint the row had when the build was asked for. */
export type ImageBuildInput = { replaces: string | null };

/**
 * Accepts and starts a build, or joins the one that runs; answers its operation. Errors: not_found, unsupported when it
 * has no recipe.
 */
export async function startImageBuild(services: Services, actor: Actor, id: ImageId): Promise<OperationId> {
  const operation = await transact(services.db, async (tx) => {
    const image = await lockImage(tx, id);
    if (image === null) throw new BerthError('not_found', 'There is no such image, or you may not see it.');
    if (image.source !== 'recipe') throw new BerthError('unsupported', 'This image was imported: it has no recipe.');
    const running = await openForImage(tx, id);
    if (running !== null) return running.id;
    await changeImage(tx, id, { state: 'queued', error: null });
    return acceptOperation(services, tx, {
      kind: 'image.build',
      title: `Build the image ${image.name}`,
      workflow: imageBuild,
      actor,
      instance: null,
      image,
      input: { replaces: image.fingerprint } satisfies ImageBuildInput,
    });
  });
  services.startRun(operation);
  return operation;
}

/** The image this operation is about. Errors: gone. */
export async function imageOf(context: Pick<StepContext, 'services' | 'operation'>) {
  const { image } = context.operation;
  const found = image === null ? null : await findImage(context.services.db, image);
  if (found === null) throw new BerthError('gone', 'The image is no longer there.');
  return found;
}

/** Tells the agent which fingerprints may be started from now on. */
export async function pushAllowList(services: Services): Promise<void> {
  await services.driver.allowImages(await allowedFingerprints(services.db));
}

/** No undo: a half-built image is nothing yet, and a finished one does no harm until it is allowed. */
const buildStep: Step<ImageBuildInput> = {
  name: 'build',
  title: 'Build it',
  // Minutes long: tried again only twice.
  attempts: 3,
  async do(context) {
    const { services } = context;
    const image = await imageOf(context);
    await transact(services.db, (tx) => changeImage(tx, image.id, { state: 'building', error: null }));
    const built = await services.driver.buildImage(image.name, (progress) =>
      context.report(progress.percent, `${progress.phase}: ${progress.line}`.slice(0, PROGRESS_MESSAGE_MAX)),
    );
    await transact(services.db, (tx) =>
      changeImage(tx, image.id, {
        fingerprint: built.fingerprint,
        built_recipe_hash: built.recipeHash,
        size_bytes: built.sizeBytes,
        built_at: new Date(built.createdAt),
      }),
    );
  },
};

const PROGRESS_MESSAGE_MAX = 300;

/** No undo: the list is rebuilt from rows whenever something changes. */
export const allowStep: Step = {
  name: 'allow',
  title: 'Allow it',
  async do({ services }) {
    await pushAllowList(services);
  },
};

/** Removes the image that was replaced, unless something still was made from it and may be cloned. No undo: it is not needed again. */
const cleanStep: Step<ImageBuildInput> = {
  name: 'clean',
  title: 'Remove the one it replaces',
  async do({ services, operation }) {
    const { replaces } = operation.input;
    if (replaces === null || (await allowedFingerprints(services.db)).includes(replaces)) return;
    await services.driver.deleteImage(replaces);
  },
};

async function ready(tx: Trx, { operation }: StepContext<ImageBuildInput>): Promise<void> {
  if (operation.image !== null) await changeImage(tx, operation.image, { state: 'ready', error: null });
}

/** A failed rebuild leaves the old image usable. */
async function failed(tx: Trx, { operation }: StepContext<ImageBuildInput>, error: { message: string }): Promise<void> {
  const image = operation.image === null ? null : await lockImage(tx, operation.image);
  if (image === null) return;
  await changeImage(tx, image.id, { state: image.fingerprint === null ? 'failed' : 'ready', error: error.message });
}

export const imageBuild: Workflow<ImageBuildInput> = {
  steps: [buildStep, allowStep as Step<ImageBuildInput>, cleanStep],
  succeeded: ready,
  failed,
};
