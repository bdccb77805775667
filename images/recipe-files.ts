import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from './recipes.ts';

/** Raise it when the builder itself changes what comes out of an unchanged recipe. */
const builderVersion = 3;

export const imagesFolder = import.meta.dirname;

export type PlacedFile = {
  /** Absolute path on the building machine. */
  from: string;
  /** Absolute path in the image. */
  to: string;
  mode: number;
};

/** Every file that the trees of a recipe lay over the root, sorted by target; a later tree replaces an earlier one's file. */
export function placedFiles(recipe: Pick<Recipe, 'trees' | 'modes'>): PlacedFile[] {
  const byTarget = new Map<string, PlacedFile>();
  for (const tree of recipe.trees) {
    const root = join(imagesFolder, 'files', tree);
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      const to = from.slice(root.length);
      const executable = (statSync(from).mode & 0o111) !== 0;
      byTarget.set(to, { from, to, mode: recipe.modes[to] ?? (executable ? 0o755 : 0o644) });
    }
  }
  return [...byTarget.values()].sort((a, b) => (a.to < b.to ? -1 : 1));
}

/**
 * SHA-256 over everything that decides what an image contains: the recipe, the bytes and modes of its files, its npm lock
 * file, the architecture. The same hash means that there is nothing to rebuild.
 */
export function recipeHash(recipe: Recipe, arch: string): string {
  const hash = createHash('sha256');
  const { limits: _limits, title: _title, description: _description, ...content } = recipe;
  hash.update(JSON.stringify({ builderVersion, arch, ...content }));
  for (const file of placedFiles(recipe)) {
    hash.update(`\0${file.to}\0${file.mode.toString(8)}\0`);
    hash.update(readFileSync(file.from));
  }
  if (recipe.npm) {
    const folder = join(imagesFolder, recipe.npm.folder);
    hash.update(readFileSync(join(folder, 'package.json')));
    hash.update(readFileSync(join(folder, 'package-lock.json')));
  }
  return hash.digest('hex');
}
