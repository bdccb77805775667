import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { toast } from 'sonner';
import { type ApiError, call, type OutputOf, toApiError } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { outsideQuery } from '../../lib/outside-return.ts';
import { safeReturn } from '../../lib/scope.ts';
import { beginSession } from '../../shell/session.ts';
import { Spinner } from '../../ui/spinner.tsx';
import { EntryFrame } from './frame.tsx';
import { SecondStep, useContinue } from './sign-in.tsx';

type Step = Extract<OutputOf<'signInOutsideFinish'>['step'], { next: 'factor' }>;

/** Back from an identity provider. */
export function OutsidePage() {
  const { provider } = useParams({ from: '/sign-in/$provider' });
  const goOn = useContinue();
  const navigate = useNavigate();
  const [failure, setFailure] = useState<ApiError | null>(null);
  const [second, setSecond] = useState<{ step: Step; wanted: string | undefined } | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens
  useEffect(() => {
    const query = outsideQuery();
    // The code works once, and is nobody else's business.
    history.replaceState(history.state, '', location.pathname);
    finish(provider, query)
      .then(async (answer) => {
        const wanted = safeReturn(answer.return) ?? undefined;
        if (answer.step.next === 'factor') setSecond({ step: answer.step, wanted });
        else if (answer.step.next === 'linked') {
          toast.success('Linked: you can sign in with it from now on.');
          await queryClient.invalidateQueries();
          await navigate({ to: '/account/security', replace: true });
        } else {
          beginSession(answer.step);
          await goOn(wanted);
        }
      })
      .catch((thrown: unknown) => setFailure(toApiError(thrown)));
  }, []);
  if (second !== null) {
    return (
      <SecondStep
        step={second.step}
        lead="Your identity is confirmed. Now the second factor."
        enter={async (who) => {
          beginSession(who);
          await goOn(second.wanted);
        }}
        startAgain={() => void navigate({ to: '/sign-in', search: {} })}
      />
    );
  }
  return (
    <EntryFrame title={failure === null ? 'One moment' : 'You are not signed in'}>
      {failure === null ? (
        <p className="flex items-center gap-2 text-sm text-soft">
          <Spinner /> Checking what the identity provider says.
        </p>
      ) : (
        <div className="flex flex-col gap-4">
          <FormError error={failure} />
          <Link to="/sign-in" search={{}} className="text-accent text-sm underline-offset-2 hover:underline">
            Back to signing in
          </Link>
        </div>
      )}
    </EntryFrame>
  );
}

/** Once for this page load, also when React mounts the page twice. */
let sent: Promise<OutputOf<'signInOutsideFinish'>> | null = null;
function finish(provider: string, query: string): Promise<OutputOf<'signInOutsideFinish'>> {
  sent ??= call('signInOutsideFinish', { body: { provider, query: query === '' ? 'nothing' : query } });
  return sent;
}
