/** How the CLI says and takes the size of an instance, and how it says its state. */
import { type Command, Option } from 'commander';
import { sizePresets } from '#domain/sizes.ts';
import type { InputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, parseBytes, plain } from '../format.ts';
import type { Instance } from '../refs.ts';

export type SizeOptions = { size?: string; cpus?: string; memory?: string; disk?: string };
type Size = NonNullable<InputOf<'instancesCreate'>['body']['size']>;

export function sizeText(size: { cpus: number; memoryBytes: number; diskBytes: number }): string {
  return `${size.cpus} CPU, ${formatBytes(size.memoryBytes)}, ${formatBytes(size.diskBytes)}`;
}

/** A preset's name, or figures that replace some of `base`. Undefined when nothing was said. */
export function sizeFromOptions(
  options: SizeOptions,
  base: { cpus: number; memoryBytes: number; diskBytes: number },
): Size | undefined {
  const figures = [options.cpus, options.memory, options.disk].some((value) => value !== undefined);
  if (options.size === undefined && !figures) return undefined;
  if (options.size !== undefined && !figures) return options.size as Size;
  const preset = sizePresets.find((item) => item.name === options.size);
  const from = preset ?? base;
  const cpus = options.cpus === undefined ? from.cpus : Number(options.cpus);
  if (!Number.isInteger(cpus) || cpus < 1) throw usageError(`"${options.cpus}" is not a number of CPUs.`);
  return {
    cpus,
    memoryBytes: options.memory === undefined ? from.memoryBytes : parseBytes(options.memory),
    diskBytes: options.disk === undefined ? from.diskBytes : parseBytes(options.disk),
  };
}

export function withSize(command: Command): Command {
  return command
    .addOption(new Option('-s, --size <preset>', 'size preset').choices(sizePresets.map((preset) => preset.name)))
    .option('--cpus <n>', 'CPUs, instead of the preset')
    .option('--memory <size>', 'memory, such as 4GiB')
    .option('--disk <size>', 'disk, such as 40GiB');
}

export function stateLine(instance: Instance | null, verb: string): string {
  if (instance === null) return `${verb}.\n`;
  const address = instance.url !== null && instance.state === 'running' ? `: ${instance.url}` : '';
  return `${plain(instance.name)} is ${instance.state}${address}\n`;
}
