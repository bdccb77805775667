/** The first step of a create: the image must be there. While it is built the step shows how far the build is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '#domain/errors.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { findImage } from '../store/images.ts';
import { changeInstance } from '../store/instances.ts';
import { openForImage } from '../store/operations.ts';
import type { Step } from './engine.ts';
import { instanceOf } from './guest-steps.ts';
import { startImageBuild } from './image-build.ts';

/** No undo: an image is everybody's. */
export const imageStep: Step = {
  name: 'image',
  title: 'Have the image ready',
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const deadline = services.now() + services.timing.imageDeadlineMs;
    for (let asked = false; ; ) {
      const image = await findImage(services.db, instance.image);
      if (image === null) throw new BerthError('gone', 'The image was removed.');
      // A ready image is used also while a newer one is being built.
      if (image.fingerprint !== null && image.state !== 'absent') {
        const { fingerprint } = image;
        await transact(services.db, (tx) => changeInstance(tx, instance, { image_fingerprint: fingerprint }));
        return;
      }
      const build = await openForImage(services.db, image.id);
      if (build === null) {
        if (asked || image.source !== 'recipe') {
          throw new BerthError(
            'conflict',
            `The image ${image.name} could not be built: ${image.error ?? 'no reason given'}`,
          );
        }
        await startImageBuild(services, asSystem(`create of ${instance.name}`, 'workflow'), image.id);
        asked = true;
      } else {
        asked = true;
        const step = build.steps.find((entry) => entry.state === 'running') ?? build.steps[0];
        context.report(step?.percent ?? null, `Building the image ${image.name}: ${step?.message ?? 'waiting'}`);
      }
      if (services.now() >= deadline) throw new BerthError('conflict', 'The image was not ready in time.');
      await sleep(services.timing.imagePollMs);
    }
  },
};
