import type { InstanceKind } from '#domain/instances.ts';
import type { Size } from '#domain/sizes.ts';
import { GIB, MIB, sizeBounds, sizePresets } from '#domain/sizes.ts';
import { formatBytes } from '../lib/format.ts';
import { cx } from '../ui/cx.ts';
import { Field, Input } from '../ui/input.tsx';

export type SizeChoice = { preset: string; custom: Size };

/** The size that a choice stands for. */
export function chosenSize(choice: SizeChoice): Size {
  const preset = sizePresets.find((each) => each.name === choice.preset);
  return preset === undefined
    ? choice.custom
    : { cpus: preset.cpus, memoryBytes: preset.memoryBytes, diskBytes: preset.diskBytes };
}

/** Why a custom size is not possible; null when it is. */
export function sizeProblem(size: Size): string | null {
  if (!Number.isInteger(size.cpus) || size.cpus < sizeBounds.cpus.min || size.cpus > sizeBounds.cpus.max)
    return `CPUs: ${sizeBounds.cpus.min} to ${sizeBounds.cpus.max}.`;
  for (const [key, label] of [
    ['memoryBytes', 'Memory'],
    ['diskBytes', 'Disk'],
  ] as const) {
    const { min, max } = sizeBounds[key];
    if (!Number.isFinite(size[key]) || size[key] < min || size[key] > max)
      return `${label}: ${formatBytes(min)} to ${formatBytes(max)}.`;
  }
  return null;
}

/** The choice that shows an existing size: its preset, or custom. */
export function choiceOf(size: Size): SizeChoice {
  const preset = sizePresets.find(
    (each) => each.cpus === size.cpus && each.memoryBytes === size.memoryBytes && each.diskBytes === size.diskBytes,
  );
  return { preset: preset?.name ?? 'custom', custom: size };
}

function Card({
  checked,
  onChange,
  title,
  children,
}: {
  checked: boolean;
  onChange: () => void;
  title: string;
  children: React.ReactNode;
}) {
  return (
    <label
      className={cx(
        'relative flex cursor-pointer flex-col gap-1 rounded-lg border px-3.5 py-3 transition-colors duration-75 has-focus-visible:outline-2 has-focus-visible:outline-focus',
        checked ? 'border-accent bg-accent-soft' : 'border-line-strong bg-surface hover:bg-hover',
      )}
    >
      <input type="radio" name="size" checked={checked} onChange={onChange} className="sr-only" />
      <span className="font-medium text-sm">{title}</span>
      <span className="tabular text-soft text-xs">{children}</span>
    </label>
  );
}

/** Presets first, custom last. */
export function SizePicker({
  kind,
  value,
  onChange,
  minDisk = 0,
}: {
  kind: InstanceKind;
  value: SizeChoice;
  onChange: (value: SizeChoice) => void;
  minDisk?: number;
}) {
  const presets = sizePresets.filter((each) => each.kinds.includes(kind) && each.diskBytes >= minDisk);
  const problem = value.preset === 'custom' ? sizeProblem(value.custom) : null;
  const number = (text: string, unit: number) => (text.trim() === '' ? Number.NaN : Math.round(Number(text) * unit));
  const show = (bytes: number) => (Number.isFinite(bytes) ? String(Math.round((bytes / GIB) * 100) / 100) : '');
  return (
    <fieldset>
      <legend className="sr-only">Size</legend>
      <div className="grid grid-cols-2 gap-2.5 sm:grid-cols-[repeat(auto-fill,minmax(9.5rem,1fr))]">
        {presets.map((preset) => (
          <Card
            key={preset.name}
            title={preset.title}
            checked={value.preset === preset.name}
            onChange={() => onChange({ ...value, preset: preset.name })}
          >
            {preset.cpus} CPU · {formatBytes(preset.memoryBytes)}
            <br />
            {formatBytes(preset.diskBytes)} disk
          </Card>
        ))}
        <Card
          title="Custom"
          checked={value.preset === 'custom'}
          onChange={() => onChange({ preset: 'custom', custom: chosenSize(value) })}
        >
          Your own numbers
        </Card>
      </div>
      {value.preset === 'custom' ? (
        <div className="mt-3 grid grid-cols-3 gap-3">
          <Field label="CPUs">
            {(aria) => (
              <Input
                {...aria}
                type="number"
                min={1}
                max={sizeBounds.cpus.max}
                value={Number.isFinite(value.custom.cpus) ? value.custom.cpus : ''}
                onChange={(event) =>
                  onChange({ ...value, custom: { ...value.custom, cpus: number(event.target.value, 1) } })
                }
              />
            )}
          </Field>
          <Field label="Memory (GiB)">
            {(aria) => (
              <Input
                {...aria}
                type="number"
                step={0.25}
                min={sizeBounds.memoryBytes.min / GIB}
                value={show(value.custom.memoryBytes)}
                onChange={(event) =>
                  onChange({
                    ...value,
                    custom: { ...value.custom, memoryBytes: Math.round(number(event.target.value, GIB) / MIB) * MIB },
                  })
                }
              />
            )}
          </Field>
          <Field label="Disk (GiB)">
            {(aria) => (
              <Input
                {...aria}
                type="number"
                min={sizeBounds.diskBytes.min / GIB}
                value={show(value.custom.diskBytes)}
                onChange={(event) =>
                  onChange({ ...value, custom: { ...value.custom, diskBytes: number(event.target.value, GIB) } })
                }
              />
            )}
          </Field>
          <div className="col-span-3" aria-live="assertive">
            {problem === null ? null : <p className="text-bad text-xs">{problem}</p>}
          </div>
        </div>
      ) : null}
    </fieldset>
  );
}
