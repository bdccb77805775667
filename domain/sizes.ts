/** Size presets and the bounds of custom sizes. Memory and disk are in bytes, CPU in whole cores. */
import type { InstanceKind } from './instances.ts';

export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

export type Size = { cpus: number; memoryBytes: number; diskBytes: number };
export type SizePreset = Size & { name: string; title: string; kinds: readonly InstanceKind[] };

export const sizePresets: readonly SizePreset[] = [
  { name: 'small', title: 'Small', cpus: 1, memoryBytes: 1 * GIB, diskBytes: 10 * GIB, kinds: ['server'] },
  { name: 'medium', title: 'Medium', cpus: 2, memoryBytes: 2 * GIB, diskBytes: 20 * GIB, kinds: ['server', 'desktop'] },
  { name: 'large', title: 'Large', cpus: 2, memoryBytes: 4 * GIB, diskBytes: 40 * GIB, kinds: ['server', 'desktop'] },
  {
    name: 'xlarge',
    title: 'Extra large',
    cpus: 4,
    memoryBytes: 8 * GIB,
    diskBytes: 80 * GIB,
    kinds: ['server', 'desktop'],
  },
];

export const defaultPreset: Record<InstanceKind, string> = { desktop: 'medium', server: 'small' };

export const sizeBounds = {
  cpus: { min: 1, max: 64 },
  memoryBytes: { min: 256 * MIB, max: 256 * GIB },
  diskBytes: { min: 4 * GIB, max: 2048 * GIB },
} as const;

/** Processes an instance may have; a bound against fork bombs, not a plan. */
export const PROCESSES_MAX = 4096;
