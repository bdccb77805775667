import { useQuery } from '@tanstack/react-query';
import { Pencil, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { AddressSet } from '#contract/address-sets.ts';
import { nameProblem } from '#domain/names.ts';
import { canonicalRange } from '#domain/network-rules.ts';
import { call } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { useProject } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Field, Input, Textarea } from '../../ui/input.tsx';

const SHOWN_MAX = 6;

/** Addresses under a name, written once and used in several rules. */
export function AddressSets({ onChanged }: { onChanged: () => void }) {
  const project = useProject();
  const query = useQuery(apiQuery('addressSetsList', { params: { project: project.id } }));
  const [editing, setEditing] = useState<AddressSet | 'new' | null>(null);
  const [deleting, setDeleting] = useState<AddressSet | null>(null);
  return (
    <section aria-labelledby="sets-title" className="mt-8">
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <div>
          <h2 id="sets-title" className="font-semibold">
            Address sets
          </h2>
          <p className="text-sm text-soft">
            Addresses under a name, for rules: <code>allow in tcp 22 from @office</code>
          </p>
        </div>
        <Button icon={<Plus />} onClick={() => setEditing('new')}>
          New address set
        </Button>
      </div>
      <QueryView query={query} rows={2}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-soft">None yet.</p>
          ) : (
            <ul className="divide-y divide-line rounded-lg border border-line">
              {items.map((set) => (
                <li key={set.name} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
                  <div className="min-w-0 flex-1">
                    <p className="mono font-medium">@{set.name}</p>
                    {set.description === '' ? null : <p className="text-soft">{set.description}</p>}
                    <p className="mono break-words text-soft text-xs">
                      {set.ranges.slice(0, SHOWN_MAX).join(', ')}
                      {set.ranges.length > SHOWN_MAX ? ` and ${set.ranges.length - SHOWN_MAX} more` : ''}
                    </p>
                    <p className="text-soft text-xs">Used by {usersOf(set)}</p>
                  </div>
                  <Button
                    size="sm"
                    icon={<Pencil />}
                    aria-label={`Change ${set.name}`}
                    blocked={set.can.update === true ? undefined : set.can.update}
                    onClick={() => setEditing(set)}
                  >
                    Change
                  </Button>
                  <Button
                    size="sm"
                    icon={<Trash2 />}
                    aria-label={`Delete ${set.name}`}
                    blocked={set.can.delete === true ? undefined : set.can.delete}
                    onClick={() => setDeleting(set)}
                  >
                    Delete
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
      {editing === null ? null : (
        <SetForm {...(editing === 'new' ? {} : { set: editing })} onClose={() => setEditing(null)} onDone={onChanged} />
      )}
      {deleting === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await call('addressSetsDelete', { params: { project: project.id, name: deleting.name } });
            onChanged();
            toast.message(`@${deleting.name} is deleted`);
          }}
          title={`Delete @${deleting.name}?`}
          body="No rule uses it. Its addresses are written down nowhere else."
          confirmLabel="Delete"
        />
      )}
    </section>
  );
}

function usersOf({ usedBy }: AddressSet): string {
  const users = [...(usedBy.egress ? ['the policy of the project'] : []), ...usedBy.securityGroups];
  return users.length === 0 ? 'no rule' : users.join(', ');
}

const splitRanges = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '');
const schema = z.object({
  name: z
    .string()
    .trim()
    .toLowerCase()
    .superRefine((name, context) => {
      const problem = nameProblem(name);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }),
  description: z.string().trim().max(500, 'At most 500 characters.'),
  ranges: z.string().superRefine((text, context) => {
    const ranges = splitRanges(text);
    const wrong = ranges.find((range) => canonicalRange(range) === null);
    if (wrong !== undefined)
      context.addIssue({ code: 'custom', message: `"${wrong}" is not an address or range such as 203.0.113.0/24.` });
    if (ranges.length === 0) context.addIssue({ code: 'custom', message: 'At least one address.' });
  }),
});

function SetForm({ set, onClose, onDone }: { set?: AddressSet; onClose: () => void; onDone: () => void }) {
  const project = useProject();
  const form = useApiForm(schema, {
    name: set?.name ?? '',
    description: set?.description ?? '',
    ranges: (set?.ranges ?? []).join('\n'),
  });
  const { errors } = form.formState;
  const used = set !== undefined && (set.usedBy.egress || set.usedBy.securityGroups.length > 0);
  return (
    <FormPanel
      title={set === undefined ? 'New address set' : `Change @${set.name}`}
      description={used ? `Changes at once what is in force by ${usersOf(set)}.` : 'For use in rules of this project.'}
      label={set === undefined ? 'Make the set' : 'Save'}
      form={form}
      onClose={onClose}
      onSubmit={form.submit(async ({ name, description, ranges }) => {
        const params = { project: project.id, name: set?.name ?? name };
        await call('addressSetsPut', { params, body: { description, ranges: splitRanges(ranges) } });
        onDone();
        toast.success(`@${params.name} is saved`);
        onClose();
      })}
    >
      {set === undefined ? (
        <Field label="Name" error={errors.name?.message}>
          {(aria) => <Input {...aria} autoFocus autoComplete="off" autoCapitalize="none" {...form.register('name')} />}
        </Field>
      ) : null}
      <Field label="Description" optional error={errors.description?.message}>
        {(aria) => <Input {...aria} autoComplete="off" {...form.register('description')} />}
      </Field>
      <Field label="Addresses and ranges, of either family" error={errors.ranges?.message}>
        {(aria) => (
          <Textarea
            {...aria}
            rows={6}
            spellCheck={false}
            autoCapitalize="none"
            className="mono"
            placeholder={'203.0.113.0/24\n2001:db8::/32'}
            {...form.register('ranges')}
          />
        )}
      </Field>
    </FormPanel>
  );
}
