import { Plus } from 'lucide-react';
import { useState } from 'react';
import { parseRule } from '#domain/network-rules.ts';
import { Button } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';

/** Writes the rule that lets instances with a group get in: nobody has to know how it is spelt. */
export function SourcePicker({ names, onAdd }: { names: readonly string[]; onAdd: (line: string) => void }) {
  const [group, setGroup] = useState('');
  const [ports, setPorts] = useState('');
  if (names.length === 0) return null;
  const chosen = names.includes(group) ? group : '';
  const line = `allow in tcp ${ports.replaceAll(/\s/g, '')} from group:${chosen}`;
  const read = parseRule(line);
  return (
    <fieldset className="flex flex-col gap-3 rounded-lg border border-line p-4">
      <legend className="px-1 font-medium text-sm">Let instances of this project in</legend>
      <p className="text-soft text-sm">
        Instances of a project reach each other only so. A rule here is enough: nothing is needed on their side.
      </p>
      <div className="flex flex-wrap items-end gap-3">
        <Field label="Instances with the group">
          {(aria) => (
            <Select
              {...aria}
              className="w-52"
              value={chosen}
              onChange={setGroup}
              placeholder="Choose a group"
              options={names.map((name) => ({ value: name, label: name }))}
            />
          )}
        </Field>
        <Field label="TCP ports" error={chosen === '' || ports === '' || typeof read !== 'string' ? undefined : read}>
          {(aria) => (
            <Input
              {...aria}
              inputMode="numeric"
              autoComplete="off"
              className="w-32"
              placeholder="5432"
              value={ports}
              onChange={(event) => setPorts(event.target.value)}
            />
          )}
        </Field>
        <Button
          icon={<Plus />}
          blocked={
            chosen === ''
              ? 'Choose a group.'
              : ports.trim() === ''
                ? 'Say which ports.'
                : typeof read === 'string'
                  ? read
                  : undefined
          }
          onClick={() => {
            onAdd(line);
            setPorts('');
          }}
        >
          Add rule
        </Button>
      </div>
    </fieldset>
  );
}
