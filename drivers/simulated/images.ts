/** The images of the simulated engine: recipes, and what building or importing one gives. */
import { createHash } from 'node:crypto';
import { GIB } from '#domain/sizes.ts';
import type { DriverImage } from '../interface.ts';

export const simulatedRecipes = [
  { name: 'server', kind: 'server', title: 'Server (simulated)', recipeHash: sha256('recipe server') },
  { name: 'desktop', kind: 'desktop', title: 'Desktop (simulated)', recipeHash: sha256('recipe desktop') },
] as const;

/** Fingerprint that the simulated build of a recipe has. */
export function simulatedFingerprint(recipe: string): string {
  return sha256(`image ${recipe}`);
}

export type SimulatedImageFacts = Pick<DriverImage, 'name' | 'kind' | 'recipeHash'> & {
  title: string;
  /** Where an imported one comes from. */
  source?: string;
};

export function simulatedImage(
  { name, kind, recipeHash, title, source }: SimulatedImageFacts,
  at: string,
): DriverImage {
  const fingerprint = source === undefined ? simulatedFingerprint(name) : sha256(source);
  return { fingerprint, name, kind, recipeHash, sizeBytes: GIB, createdAt: at, description: title };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
