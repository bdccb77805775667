import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import type { ApiError, OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { Button, buttonClass } from '../../ui/button.tsx';
import { EntryFrame } from './frame.tsx';

/** Where the links of a change of address lead. A press confirms, not the visit: mail programs open links by themselves. */
export function ConfirmEmailPage() {
  const { secret } = useParams({ from: '/confirm-email/$secret' });
  const [answer, setAnswer] = useState<OutputOf<'emailChangeConfirm'> | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  async function confirm() {
    setBusy(true);
    setError(null);
    try {
      const confirmed = await call('emailChangeConfirm', { body: { token: secret } });
      if (confirmed.done) queryClient.clear();
      setAnswer(confirmed);
    } catch (thrown) {
      setError(toApiError(thrown));
    }
    setBusy(false);
  }
  if (answer?.done === true) {
    return (
      <EntryFrame title="The address has changed" lead="Sign in with the new one from now on. All sessions have ended.">
        <Link to="/sign-in" className={buttonClass('primary', 'md', 'w-full')}>
          Sign in
        </Link>
      </EntryFrame>
    );
  }
  if (answer !== null) {
    return (
      <EntryFrame
        title="Half done"
        lead={
          answer.confirmed === 'old'
            ? 'The old address has confirmed. Now follow the link in the mail to the new one.'
            : 'The new address has confirmed. Now follow the link in the mail to the old one.'
        }
      >
        <Link to="/" className={buttonClass('secondary', 'md', 'w-full')}>
          To Berth
        </Link>
      </EntryFrame>
    );
  }
  return (
    <EntryFrame
      title="Change of e-mail address"
      lead="Confirm that an account here moves to another address. If you know nothing of this, close the page."
    >
      <div className="flex flex-col gap-4">
        <FormError error={error} />
        <Button tone="primary" busy={busy} className="w-full" onClick={() => void confirm()}>
          Confirm
        </Button>
      </div>
    </EntryFrame>
  );
}
