/** Endpoints of images. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { buildImage, deleteImage, importImage, listImages } from '#server/app/images.ts';
import type { Http } from './server.ts';

export function registerImages(http: Http, app: AppContext): void {
  http.register(api.imagesList, async ({ caller }) => ({ items: await listImages(app, caller) }));
  http.register(api.imagesBuild, async ({ caller, params, body }) => buildImage(app, caller, params.image, body.force));
  http.register(api.imagesImport, async ({ caller, body, idempotencyKey }) =>
    importImage(app, caller, body, idempotencyKey),
  );
  http.register(api.imagesDelete, async ({ caller, params, idempotencyKey }) =>
    deleteImage(app, caller, params.image, idempotencyKey),
  );
}
