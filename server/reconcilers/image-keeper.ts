/**
 * Keeps images true: every recipe has a row, the rows know what the engine really has, the agent's allow-list is what the
 * rows say, and the recipes that the installation wants are built.
 */
import { makeId } from '#domain/ids.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { changeImage, ensureRecipeImage, listImages } from '../store/images.ts';
import { pushAllowList, startImageBuild } from '../workflows/image-build.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 60_000;

/** `wanted` are the recipes to build when the engine has no image of them, in order; each is tried once per process. */
export function imageKeeper(services: Services, wanted: readonly string[]): Reconciler {
  const tried = new Set<string>();
  return {
    name: 'image-keeper',
    everyMs: EVERY_MS,
    async run() {
      const account: string[] = [];
      for (const recipe of await services.driver.recipes()) {
        await ensureRecipeImage(services.db, makeId('img', services.now(), services.random), recipe);
      }
      const present = await services.driver.images();
      for (const image of await listImages(services.db)) {
        if (image.operation !== null) continue;
        const real = present.find((candidate) => candidate.fingerprint === image.fingerprint);
        if (image.fingerprint !== null && real === undefined && image.state === 'ready') {
          await transact(services.db, (tx) =>
            changeImage(tx, image.id, {
              state: 'absent',
              fingerprint: null,
              error: 'The engine no longer has it.',
            }),
          );
          account.push(`${image.name} disappeared from the engine`);
        }
        // Built before this database existed (or by `up`): adopt it, by recipe hash, so that nothing is built twice.
        const adoptable = present.find(
          (candidate) =>
            image.source === 'recipe' &&
            candidate.name === image.name &&
            candidate.recipeHash !== null &&
            candidate.recipeHash === image.recipeHash,
        );
        if (image.fingerprint === null && adoptable !== undefined) {
          await transact(services.db, (tx) =>
            changeImage(tx, image.id, {
              state: 'ready',
              fingerprint: adoptable.fingerprint,
              built_recipe_hash: adoptable.recipeHash,
              size_bytes: adoptable.sizeBytes,
              built_at: new Date(adoptable.createdAt),
              error: null,
            }),
          );
          account.push(`adopted ${image.name}`);
        }
      }
      await pushAllowList(services);
      const images = await listImages(services.db);
      for (const name of wanted) {
        const image = images.find((candidate) => candidate.name === name && candidate.source === 'recipe');
        if (image === undefined || tried.has(name)) continue;
        if (image.fingerprint !== null || image.operation !== null) continue;
        tried.add(name);
        await startImageBuild(services, asSystem('image-keeper'), image.id);
        account.push(`building ${name}`);
        // One after the other: a build takes the whole machine.
        break;
      }
      return account.length === 0 ? null : account.join('; ');
    },
  };
}
