import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { CircleCheck, CircleX, SquareTerminal } from 'lucide-react';
import { useState } from 'react';
import { z } from 'zod';
import type { ApiError, OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { ScopeList } from './scopes.tsx';

type Login = OutputOf<'deviceLoginGet'>;

/** Where the code that `berth login` shows is confirmed. */
export function DevicePage() {
  const { code } = useSearch({ from: '/shell/device' });
  const navigate = useNavigate();
  const [done, setDone] = useState<'allowed' | 'refused' | null>(null);
  return (
    <>
      <PageHeader title="Sign a program in" />
      <div className="max-w-xl">
        {done !== null ? (
          <Card>
            <EmptyState
              icon={done === 'allowed' ? <CircleCheck /> : <CircleX />}
              title={done === 'allowed' ? 'The program is signed in' : 'The program was refused'}
              action={
                <Button onClick={() => void navigate({ to: '/account/sessions' })}>Where you are signed in</Button>
              }
            >
              {done === 'allowed' ? 'Go back to it: it goes on by itself. You can close this page.' : 'It got nothing.'}
            </EmptyState>
          </Card>
        ) : code === undefined ? (
          <TypeCode onCode={(typed) => void navigate({ to: '/device', search: { code: typed } })} />
        ) : (
          <Decide code={code} onDone={setDone} again={() => void navigate({ to: '/device', search: {} })} />
        )}
      </div>
    </>
  );
}

function TypeCode({ onCode }: { onCode: (code: string) => void }) {
  const form = useApiForm(z.object({ code: z.string().trim().min(8, 'Eight letters.').max(40) }), { code: '' });
  return (
    <Card>
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ code }) => {
          onCode(code.toUpperCase());
        })}
      >
        <Field
          label="Code"
          hint="The eight letters that the program shows. Never type a code that somebody sent you."
          error={form.formState.errors.code?.message}
        >
          {(aria) => (
            <Input
              {...aria}
              autoFocus
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              placeholder="BCDF-GHJK"
              className="mono max-w-48 uppercase tracking-widest"
              {...form.register('code')}
            />
          )}
        </Field>
        <Button type="submit" tone="primary" className="w-fit">
          Go on
        </Button>
      </form>
    </Card>
  );
}

function Decide({
  code,
  onDone,
  again,
}: {
  code: string;
  onDone: (how: 'allowed' | 'refused') => void;
  again: () => void;
}) {
  const query = useQuery({
    ...apiQuery('deviceLoginGet', { params: { code } }),
    retry: false,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (query.isError && toApiError(query.error).code === 'not_found') {
    return (
      <Card>
        <EmptyState
          icon={<SquareTerminal />}
          title="No program waits for this code"
          action={<Button onClick={again}>Type another code</Button>}
        >
          It may be mistyped, used, or older than ten minutes. Start again in the program.
        </EmptyState>
      </Card>
    );
  }
  return <QueryView query={query}>{(login) => <Question login={login} onDone={onDone} />}</QueryView>;
}

function Question({ login, onDone }: { login: Login; onDone: (how: 'allowed' | 'refused') => void }) {
  const { user } = useSession();
  const [busy, setBusy] = useState<'allowed' | 'refused' | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  async function decide(how: 'allowed' | 'refused') {
    setBusy(how);
    setFailure(null);
    try {
      await call('deviceLoginDecide', { params: { code: login.userCode }, body: { allow: how === 'allowed' } });
      await queryClient.invalidateQueries({ queryKey: ['sessionsList'] });
      onDone(how);
    } catch (thrown) {
      setFailure(toApiError(thrown));
    }
    setBusy(null);
  }
  return (
    <Card>
      <div className="flex flex-col gap-5">
        <div>
          <p className="text-soft text-sm">Does the program show this code?</p>
          <p className="mono mt-1 font-semibold text-2xl tracking-widest">{login.userCode}</p>
        </div>
        <Properties
          items={[
            ['Program', login.client],
            [
              'Runs at',
              <span key="address">
                <span className="mono">{login.address}</span>
                {login.sameAddress ? ' (the same address as this browser)' : ''}
              </span>,
            ],
            ['Asked', <TimeAgo key="asked" at={login.createdAt} />],
            ['Will be', `${user.name} (${user.email})`],
            ['May', <ScopeList key="scopes" scopes={login.scopes} />],
          ]}
        />
        {login.sameAddress ? null : (
          <Notice tone="warn" title="It runs somewhere else">
            Its address is not the one of this browser. Go on only if you started it yourself, just now, on that
            machine.
          </Notice>
        )}
        <FormError error={failure} />
        <div className="flex flex-wrap gap-2">
          <Button tone="primary" busy={busy === 'allowed'} onClick={() => void decide('allowed')}>
            Sign it in as me
          </Button>
          <Button busy={busy === 'refused'} onClick={() => void decide('refused')}>
            Refuse
          </Button>
        </div>
      </div>
    </Card>
  );
}
