import type { Recipe } from './recipes.ts';

export type MmdebstrapInput = {
  recipe: Pick<Recipe, 'packages' | 'release'>;
  /** dpkg architecture. */
  arch: string;
  root: string;
  mirrors: readonly string[];
  aptOptions: readonly string[];
  dpkgOptions: readonly string[];
};

const packageName = /^[a-z0-9][a-z0-9+.-]+$/;

/**
 * The argument vector of mmdebstrap. It works in a directory that may already hold downloaded packages (`check/empty`),
 * and leaves the downloaded ones there for the cache (`cleanup/apt/cache`, `essential/unlink`).
 */
export function mmdebstrapArgs(input: MmdebstrapInput): string[] {
  const wrong = input.recipe.packages.filter((name) => !packageName.test(name));
  if (wrong.length > 0) throw new Error(`not package names: ${wrong.join(', ')}`);
  return [
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    '--verbose',
    `--architectures=${input.arch}`,
    `--include=${input.recipe.packages.join(',')}`,
    '--skip=check/empty,essential/unlink,cleanup/apt/cache',
    ...input.aptOptions.map((option) => `--aptopt=${option}`),
    ...input.dpkgOptions.map((option) => `--dpkgopt=${option}`),
    input.recipe.release,
    input.root,
    ...input.mirrors,
  ];
}
