import { useQuery } from '@tanstack/react-query';
import { Check, Globe } from 'lucide-react';
import type { ComponentProps } from 'react';
import { nameProblem } from '#domain/names.ts';
import { apiQuery } from '../api/queries.ts';
import { useDebounced } from '../lib/use-debounced.ts';
import { Field, Input } from '../ui/input.tsx';
import { Spinner } from '../ui/spinner.tsx';

/** Waits this long after the last key before it asks the server (milliseconds). */
const CHECK_MS = 180;

/** What is wrong with a name as far as the browser and the server know; null while fine or unknown. */
export function useNameCheck(project: string, name: string, unchanged?: string) {
  const settled = useDebounced(name, CHECK_MS);
  const shape = nameProblem(name);
  const enabled = settled !== '' && nameProblem(settled) === null && settled !== unchanged;
  const check = useQuery({
    ...apiQuery('instanceNamesCheck', { params: { project, name: settled } }),
    enabled,
    staleTime: 5_000,
  });
  const known = enabled && settled === name ? check.data : undefined;
  return {
    problem: name === '' ? null : (shape ?? (known?.available === false ? (known.problem ?? 'It is taken.') : null)),
    url: known?.available === true ? known.url : null,
    suggestion: known?.available === false ? known.suggestion : null,
    checking: shape === null && name !== unchanged && (settled !== name || check.isFetching),
    free: known?.available === true,
  };
}

/** Name of an instance: checked as typed, with the address it gets, and a free one when it is taken. */
export function NameField({
  project,
  pattern,
  name,
  onName,
  error,
  unchanged,
  ...input
}: {
  project: string;
  /** Address with `{name}` in it, as the installation gives it. */
  pattern: string;
  name: string;
  onName: (name: string) => void;
  error?: string | undefined;
  unchanged?: string;
} & Omit<ComponentProps<'input'>, 'onChange' | 'value' | 'name'>) {
  const check = useNameCheck(project, name, unchanged);
  const problem = error ?? check.problem ?? undefined;
  return (
    <Field
      label="Name"
      error={problem}
      hint={
        check.suggestion !== null && problem !== undefined ? (
          <span>
            Free:{' '}
            <button
              type="button"
              className="font-medium text-accent hover:underline"
              onClick={() => onName(check.suggestion ?? '')}
            >
              {check.suggestion}
            </button>
          </span>
        ) : (
          <span className="flex items-center gap-1.5">
            <Globe className="size-3.5" aria-hidden="true" />
            <span className="mono truncate">{check.url ?? pattern.replace('{name}', name === '' ? 'name' : name)}</span>
          </span>
        )
      }
    >
      {(aria) => (
        <div className="relative">
          <Input
            {...aria}
            {...input}
            value={name}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={60}
            className="pr-9"
            onChange={(event) => onName(event.target.value)}
          />
          <span className="pointer-events-none absolute top-2.25 right-2.5 text-faint">
            {check.checking && name !== '' && check.problem === null ? (
              <Spinner />
            ) : check.free ? (
              <Check className="size-4 text-ok" role="img" aria-label="This name is free" />
            ) : null}
          </span>
        </div>
      )}
    </Field>
  );
}
