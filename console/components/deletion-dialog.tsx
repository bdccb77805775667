/** Deleting an account: what it means, who owns what is left, and a last word. For oneself and for administrators. */
import type { UseQueryResult } from '@tanstack/react-query';
import { useState } from 'react';
import type { OutputOf } from '../api/client.ts';
import { toApiError } from '../api/client.ts';
import { plural } from '../lib/format.ts';
import { whyNot } from '../lib/why-not.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field, Input } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { Select } from '../ui/select.tsx';
import { QueryView } from './query-view.tsx';

type Deletion = OutputOf<'deletionGet'>;
export type HandOver = { organization: string; to: string }[];

export function DeletionDialog({
  title,
  email,
  query,
  onClose,
  onDelete,
}: {
  title: string;
  /** Has to be typed. */
  email: string;
  query: UseQueryResult<Deletion>;
  onClose: () => void;
  onDelete: (handOver: HandOver) => Promise<void>;
}) {
  const [owners, setOwners] = useState<Readonly<Record<string, string>>>({});
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const { data } = query;
  const left = data?.organizations.filter((each) => each.needsOwner) ?? [];
  async function remove() {
    const open = left.find((each) => owners[each.id] === undefined);
    if (open !== undefined) return setProblem(`Say who owns ${open.title} from now on.`);
    if (typed.trim().toLowerCase() !== email.toLowerCase()) return setProblem('The address does not match.');
    setBusy(true);
    setProblem(null);
    await onDelete(left.map((each) => ({ organization: each.id, to: owners[each.id] ?? '' }))).catch(
      (thrown: unknown) => setProblem(toApiError(thrown).message),
    );
    setBusy(false);
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            tone="danger"
            busy={busy}
            blocked={data === undefined ? undefined : whyNot(data.can)}
            onClick={() => void remove()}
          >
            Delete the account
          </Button>
        </>
      }
    >
      <QueryView query={query} rows={4}>
        {(facts) => (
          <div className="flex flex-col gap-4 text-sm text-soft">
            <Consequences facts={facts} />
            {facts.can === true ? null : <Notice tone="warn" title={facts.can} />}
            {left
              .filter((each) => each.successors.length > 0)
              .map((each) => (
                <Field key={each.id} label={`Who owns ${each.title} from now on?`}>
                  {(aria) => (
                    <Select
                      {...aria}
                      value={owners[each.id] ?? ''}
                      onChange={(to) => setOwners({ ...owners, [each.id]: to })}
                      options={[
                        ...(owners[each.id] === undefined ? [{ value: '', label: 'Choose somebody' }] : []),
                        ...each.successors.map((person) => ({
                          value: person.id as string,
                          label: person.name,
                          hint: person.email,
                        })),
                      ]}
                    />
                  )}
                </Field>
              ))}
            {facts.can === true ? (
              <Field
                label={
                  <>
                    Type <code className="rounded-sm bg-code px-1 py-0.5">{email}</code> to confirm
                  </>
                }
              >
                {(aria) => (
                  <Input
                    {...aria}
                    autoComplete="off"
                    spellCheck={false}
                    value={typed}
                    onChange={(event) => {
                      setTyped(event.target.value);
                      setProblem(null);
                    }}
                  />
                )}
              </Field>
            ) : null}
            {problem === null ? null : <Notice tone="bad">{problem}</Notice>}
          </div>
        )}
      </QueryView>
    </Dialog>
  );
}

function Consequences({ facts }: { facts: Deletion }) {
  const instances = facts.organizations.reduce((sum, each) => sum + each.instances, 0);
  return (
    <ul className="flex list-disc flex-col gap-1 pl-5">
      <li>Name, address, picture, password, second factors and linked identities are gone for good.</li>
      <li>
        {plural(facts.sessions, 'session')} and {plural(facts.tokens, 'API token')} end at once.
      </li>
      <li>
        {facts.organizations.length === 0
          ? 'It belongs to no organization.'
          : `It leaves ${facts.organizations.map((each) => each.title).join(', ')}.`}
      </li>
      <li>
        {instances === 0
          ? 'Nothing it made is running anywhere.'
          : `${plural(instances, 'instance')} it made stay there.`}{' '}
        What the audit log says of the past stays too.
      </li>
    </ul>
  );
}
