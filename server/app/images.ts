/** Images: what instances are made from. Building, importing and deleting belong to platform administrators. */
import type { z } from 'zod';
import type { Image, imageRoutes } from '#contract/images.ts';
import { platformMay } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { ImageId } from '#domain/ids.ts';
import * as store from '#server/store/images.ts';
import { openForImage } from '#server/store/operations.ts';
import { acceptOperation } from '#server/workflows/accept.ts';
import { startImageBuild } from '#server/workflows/image-build.ts';
import { type ImageDeleteInput, imageDelete } from '#server/workflows/image-delete.ts';
import { type ImageImportInput, imageImport } from '#server/workflows/image-import.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { answer } from './instances.ts';
import { type Accepted, acceptOnce, requestHash } from './operations.ts';

export type ImportInput = z.output<(typeof imageRoutes)['imagesImport']['body']>;

const ADMINISTRATORS = 'Only platform administrators may do this.';

function isAdministrator(caller: Caller): boolean {
  return caller.kind === 'person' && platformMay(caller.platformAdmin, 'platform.image.build');
}

function isOutdated(image: store.ImageRecord): boolean {
  return image.source === 'recipe' && image.fingerprint !== null && image.recipeHash !== image.builtRecipeHash;
}

export function presentImage(image: store.ImageView, administrator: boolean): Image {
  const busy = image.operation === null ? null : 'Something is being done to it already.';
  const used = image.instances === 0 ? null : `${image.instances} instances were made from it.`;
  return {
    id: image.id,
    name: image.name,
    kind: image.kind,
    title: image.title,
    source: image.source,
    state: image.state,
    fingerprint: image.fingerprint,
    sizeBytes: image.sizeBytes,
    outdated: isOutdated(image),
    builtAt: image.builtAt?.toISOString() ?? null,
    error: image.error,
    operation: image.operation,
    instances: image.instances,
    can: {
      build: !administrator
        ? ADMINISTRATORS
        : image.source === 'recipe'
          ? (busy ?? true)
          : 'It was imported: it has no recipe.',
      delete: administrator ? (busy ?? used ?? true) : ADMINISTRATORS,
    },
  };
}

export async function listImages(app: AppContext, caller: Caller): Promise<Image[]> {
  await authorizePlatform(app, caller, 'platform.image.read');
  const administrator = isAdministrator(caller);
  return (await store.listImages(app.db)).map((image) => presentImage(image, administrator));
}

/** Joins a build that runs. Without `force` an image that is up to date is not built again. Errors: state_conflict. */
export async function buildImage(app: AppContext, caller: Caller, id: ImageId, force: boolean): Promise<Accepted> {
  const proof = await authorize(app, caller, 'platform.image.build', { kind: 'image', id });
  const image = await store.findImage(app.db, proof.id);
  if (image === null) throw notFound('image');
  const running = await openForImage(app.db, image.id);
  if (running === null && !force && image.state === 'ready' && !isOutdated(image)) {
    throw new BerthError('state_conflict', 'It is up to date. Build it again with `force`.');
  }
  const operation = await startImageBuild(app.services, proof.actor, image.id);
  return answer(app, caller, operation);
}

export async function importImage(
  app: AppContext,
  caller: Caller,
  input: ImportInput,
  idempotencyKey: string | null,
): Promise<Accepted> {
  const hash = requestHash('image.import', '', input);
  const accepted = await acceptOnce(app, caller, idempotencyKey, hash, async (tx) => {
    const proof = await authorizePlatform({ db: tx }, caller, 'platform.image.import');
    const { name, kind, title, ...source } = input;
    const image = { id: app.ids.make('img'), name, kind, title, source: input.type, state: 'building' as const };
    await store.insertImage(tx, image);
    return acceptOperation(app.services, tx, {
      kind: 'image.import',
      title: `Import the image ${name}`,
      workflow: imageImport,
      actor: proof.actor,
      instance: null,
      image,
      input: { source } satisfies ImageImportInput,
      after: input,
    });
  });
  return answer(app, caller, accepted.operation);
}

/** Errors: state_conflict while instances made from it exist, or something is being done to it. */
export async function deleteImage(
  app: AppContext,
  caller: Caller,
  id: ImageId,
  idempotencyKey: string | null,
): Promise<Accepted> {
  const hash = requestHash('image.delete', id, null);
  const accepted = await acceptOnce(app, caller, idempotencyKey, hash, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'platform.image.delete', { kind: 'image', id });
    const image = await store.lockImage(tx, proof.id);
    if (image === null) throw notFound('image');
    if ((await openForImage(tx, image.id)) !== null) {
      throw new BerthError('state_conflict', 'Something is being done to this image already.');
    }
    const instances = await store.instancesOfImage(tx, image.id);
    if (instances > 0) {
      throw new BerthError('state_conflict', `${instances} instances (archived ones included) were made from it.`);
    }
    return acceptOperation(app.services, tx, {
      kind: 'image.delete',
      title: `Delete the image ${image.name}`,
      workflow: imageDelete,
      actor: proof.actor,
      instance: null,
      image,
      input: { fingerprint: image.fingerprint } satisfies ImageDeleteInput,
      before: { name: image.name, fingerprint: image.fingerprint },
    });
  });
  return answer(app, caller, accepted.operation);
}
