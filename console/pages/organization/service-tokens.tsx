/** Tokens of one service account: the living ones, a new one (shown once), revoking. */
import { useQuery } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { z } from 'zod';
import { call, type OutputOf } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { whyNot } from '../../lib/why-not.ts';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { ConfirmDialog, SidePanel } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Select } from '../../ui/select.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { ScopeChooser, useScopeChoice } from '../account/scope-choice.tsx';
import { ScopeList } from '../account/scopes.tsx';

export type ServiceAccount = OutputOf<'serviceAccountsList'>['items'][number];
type Token = OutputOf<'serviceTokensList'>['items'][number];

const lives = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
] as const;
const hints = {
  all: 'Also what the account will be given later.',
  read: 'See what the account sees; open, change and delete nothing.',
  chosen: 'Exactly these, and only as long as the account may do them.',
};

export const refreshServiceAccounts = () =>
  queryClient.invalidateQueries({
    predicate: ({ queryKey }) => queryKey[0] === 'serviceAccountsList' || queryKey[0] === 'serviceTokensList',
  });

const FORM = 'service-token-form';

function NewToken({ account, onMade }: { account: ServiceAccount; onMade: (secret: string) => void }) {
  const form = useApiForm(
    z.object({ name: z.string().trim().min(1, 'What will use it?').max(80), life: z.enum(['30', '90', '365']) }),
    { name: '', life: '90' },
  );
  const choice = useScopeChoice();
  return (
    <form
      id={FORM}
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async ({ name, life }) => {
        const scopes = choice.scopes();
        if (scopes === undefined) return;
        const { secret } = await call('serviceTokensCreate', {
          params: { organization: account.organization, account: account.id },
          body: { name, expiresInDays: Number(life), scopes },
        });
        onMade(secret);
        await refreshServiceAccounts();
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus placeholder="pipeline" {...form.register('name')} />}
      </Field>
      <Field
        label="Ends after"
        hint="Every token of a service account ends. Make the next one before, then revoke this."
      >
        {(aria) => (
          <Select
            {...aria}
            value={form.watch('life')}
            onChange={(life) => form.setValue('life', life)}
            options={lives}
          />
        )}
      </Field>
      <ScopeChooser choice={choice} all="Everything it may" hints={hints} installation={false} />
      <FormError error={form.failure} />
    </form>
  );
}

function TokenRows({ items, onRevoke }: { items: Token[]; onRevoke: ((token: Token) => void) | null }) {
  if (items.length === 0) return <p className="text-sm text-soft">No tokens: nothing acts as this account.</p>;
  return (
    <ul className="divide-y divide-line">
      {items.map((token) => (
        <li key={token.id} className="flex items-start gap-3 py-3 text-sm">
          <div className="flex min-w-0 flex-1 flex-col gap-1">
            <span className="font-medium">
              {token.name} <span className="mono font-normal text-faint text-xs">{token.prefix}…</span>
            </span>
            <span className="text-soft text-xs">
              <ScopeList scopes={token.scopes} everything="everything the account may do" />
            </span>
            <span className="text-faint text-xs">
              {token.lastUsedAt === null ? (
                'never used'
              ) : (
                <>
                  used <TimeAgo at={token.lastUsedAt} />
                  {token.lastUsedAddress === null ? null : ` from ${token.lastUsedAddress}`}
                </>
              )}
              , ends <TimeAgo at={token.expiresAt} />
            </span>
          </div>
          {onRevoke === null ? null : (
            <Button size="sm" onClick={() => onRevoke(token)}>
              Revoke
              <span className="sr-only"> {token.name}</span>
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

export function TokensPanel({ account, onClose }: { account: ServiceAccount; onClose: () => void }) {
  const params = { organization: account.organization, account: account.id };
  const tokens = useQuery(apiQuery('serviceTokensList', { params }));
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const { createToken } = account.can;

  const footer =
    secret !== null ? (
      <Button
        tone="primary"
        onClick={() => {
          setSecret(null);
          setCreating(false);
        }}
      >
        I have kept it
      </Button>
    ) : creating ? (
      <>
        <Button onClick={() => setCreating(false)}>Cancel</Button>
        <Button type="submit" form={FORM} tone="primary">
          Create the token
        </Button>
      </>
    ) : (
      <Button tone="primary" icon={<Plus />} blocked={whyNot(createToken)} onClick={() => setCreating(true)}>
        New token
      </Button>
    );
  return (
    <>
      <SidePanel
        open
        onClose={onClose}
        title={creating ? `New token of ${account.name}` : `Tokens of ${account.name}`}
        description="It acts by tokens alone. They outlive whoever made them."
        footer={footer}
      >
        {secret !== null ? (
          <div className="flex flex-col gap-4">
            <Notice tone="warn" title="Copy it now: it is shown this once">
              Berth keeps only a fingerprint of it. Put it where your pipeline keeps its secrets.
            </Notice>
            <CodeBlock code={secret} label="token" />
          </div>
        ) : creating ? (
          <NewToken account={account} onMade={setSecret} />
        ) : (
          <QueryView query={tokens}>
            {({ items }) => (
              <TokenRows items={items} onRevoke={account.can.update === true ? (token) => setRevoking(token) : null} />
            )}
          </QueryView>
        )}
      </SidePanel>
      {revoking === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRevoking(null)}
          onConfirm={() =>
            call('serviceTokensRevoke', { params: { ...params, token: revoking.id } }).finally(refreshServiceAccounts)
          }
          title={`Revoke the token “${revoking.name}”?`}
          body="Whatever uses it is refused from now on, and its open screens and terminals close."
          confirmLabel="Revoke"
        />
      )}
    </>
  );
}
