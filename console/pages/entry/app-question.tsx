import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { type ApiError, call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { Button } from '../../ui/button.tsx';
import { EntryFrame } from './frame.tsx';

const scopeWords: Record<string, string> = {
  openid: 'that it is you, each time',
  email: 'your e-mail address',
  profile: 'your name',
  groups: 'the groups you are in',
};

/** An app that is not our own wants to know who is here. */
export function AppQuestionPage() {
  const { interaction } = useParams({ from: '/app-sign-in/$interaction' });
  const query = useQuery(apiQuery('oidcQuestionGet', { params: { interaction } }));
  const [busy, setBusy] = useState<boolean | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  async function answer(allow: boolean) {
    setBusy(allow);
    setFailure(null);
    try {
      const { url } = await call('oidcQuestionAnswer', { params: { interaction }, body: { allow } });
      location.assign(url);
    } catch (thrown) {
      setFailure(toApiError(thrown));
      setBusy(null);
    }
  }
  return (
    <EntryFrame title={query.data === undefined ? 'Sign in to an app' : `Sign in to ${query.data.app}?`}>
      <QueryView query={query} rows={2}>
        {({ app, origin, scopes }) => (
          <div className="flex flex-col gap-4 text-sm">
            <p>
              {app} at <span className="mono">{origin}</span> will know:
            </p>
            <ul className="list-disc pl-5 text-soft">
              {scopes.map((scope) => (
                <li key={scope}>{scopeWords[scope] ?? scope}</li>
              ))}
            </ul>
            <FormError error={failure} />
            <div className="flex gap-2">
              <Button tone="primary" busy={busy === true} onClick={() => void answer(true)} className="flex-1">
                Sign in
              </Button>
              <Button busy={busy === false} onClick={() => void answer(false)} className="flex-1">
                No
              </Button>
            </div>
          </div>
        )}
      </QueryView>
    </EntryFrame>
  );
}
