/** react-hook-form with the contract's own schemas, and server errors put on the fields they belong to. */
import { zodResolver } from '@hookform/resolvers/zod';
import { useState } from 'react';
import type { DefaultValues, FieldValues, Path, UseFormReturn } from 'react-hook-form';
import { useForm } from 'react-hook-form';
import type { z } from 'zod';
import type { ApiError } from '../api/client.ts';
import { toApiError } from '../api/client.ts';

export type ApiForm<I extends FieldValues, O> = UseFormReturn<I, unknown, O> & {
  /** The failure that belongs to no field. */
  failure: ApiError | null;
  /** Runs `send` with valid values; keeps the button busy and maps the server's answer. */
  submit: (send: (values: O) => Promise<void>) => (event?: React.BaseSyntheticEvent) => Promise<void>;
};

export function useApiForm<I extends FieldValues, O>(
  schema: z.ZodType<O, I>,
  defaultValues: DefaultValues<I>,
): ApiForm<I, O> {
  const form = useForm<I, unknown, O>({
    resolver: zodResolver(schema as never) as never,
    defaultValues,
    mode: 'onTouched',
  });
  const [failure, setFailure] = useState<ApiError | null>(null);
  const submit: ApiForm<I, O>['submit'] = (send) =>
    form.handleSubmit(async (values) => {
      setFailure(null);
      try {
        await send(values);
      } catch (thrown) {
        const error = toApiError(thrown);
        const known = error.fields.filter((each) => each.field in (form.getValues() as object));
        for (const [index, each] of known.entries()) {
          form.setError(each.field as Path<I>, { type: 'server', message: each.message }, { shouldFocus: index === 0 });
        }
        // One message per error: the form's own only when no field can carry it.
        if (known.length === 0) setFailure(error);
      }
    });
  return { ...form, failure, submit };
}
