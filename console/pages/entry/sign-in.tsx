import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Fingerprint } from 'lucide-react';
import { useEffect, useState } from 'react';
import { identityRoutes } from '#contract/identity.ts';
import type { ApiError, OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { FormError } from '../../components/error-text.tsx';
import { FactorForm } from '../../components/factor-form.tsx';
import { ProviderButtons } from '../../components/provider-buttons.tsx';
import { askForPasskey, autofillSupported, passkeysSupported, stopAsking } from '../../lib/passkeys.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { beginSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { EntryFrame } from './frame.tsx';

type Who = OutputOf<'whoami'>;
type Step = Extract<OutputOf<'signIn'>, { next: 'factor' }>;

/** Goes on where the person wanted to be. What edge and the server answer themselves
 * (signing in to an instance's page, to an app) needs a real page load. */
export function useContinue(): (target: string | undefined) => Promise<void> {
  const navigate = useNavigate();
  return async (target) => {
    if (target !== undefined && /^\/(edge|oidc)\//.test(target)) location.assign(target);
    else await navigate({ href: target ?? '/', replace: true });
  };
}

export function SignInPage() {
  const search = useSearch({ from: '/sign-in' });
  const goOn = useContinue();
  const [step, setStep] = useState<Step | null>(null);
  const [over, setOver] = useState<ApiError | null>(null);
  async function enter(who: Who) {
    beginSession(who);
    await goOn(search.return);
  }
  if (step !== null) {
    return (
      <SecondStep
        step={step}
        enter={enter}
        startAgain={(error) => {
          setOver(error);
          setStep(null);
        }}
      />
    );
  }
  return <FirstStep wanted={search.return} over={over} enter={enter} next={setStep} />;
}

function FirstStep({
  wanted,
  over,
  enter,
  next,
}: {
  wanted: string | undefined;
  over: ApiError | null;
  enter: (who: Who) => Promise<void>;
  next: (step: Step) => void;
}) {
  const form = useApiForm(identityRoutes.signIn.body, { email: '', password: '' });
  const [passkeyFailure, setPasskeyFailure] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const { errors, isSubmitting } = form.formState;
  const send = form.submit(async (values) => {
    await stopAsking();
    const answer = await call('signIn', { body: values });
    if (answer.next === 'factor') next(answer);
    else await enter(answer);
  });
  async function withPasskey(autofill: boolean) {
    const { options } = await call('signInPasskeyOptions', { body: { for: 'sign-in' } });
    const passkey = await askForPasskey(options, autofill);
    if (passkey !== null) await enter(await call('signInPasskey', { body: { passkey } }));
  }
  async function press() {
    setBusy(true);
    setPasskeyFailure(null);
    await withPasskey(false).catch((thrown: unknown) => setPasskeyFailure(toApiError(thrown)));
    setBusy(false);
  }
  // Where the browser can, passkeys are among the suggestions of the e-mail field: this waits until one is chosen.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens
  useEffect(() => {
    let left = false;
    void autofillSupported().then(async (can) => {
      if (!can || left) return;
      await withPasskey(true).catch((thrown: unknown) => {
        if (!left) setPasskeyFailure(toApiError(thrown));
      });
    });
    return () => {
      left = true;
      void stopAsking();
    };
  }, []);
  return (
    <EntryFrame
      title="Sign in"
      lead={wanted === undefined ? undefined : 'Sign in to go on to where you wanted to be.'}
      footer={
        <>
          No account? Somebody who manages your organization can invite you, or{' '}
          <Link to="/register" className="underline">
            register
          </Link>
          .
        </>
      }
    >
      <form onSubmit={send} noValidate className="flex flex-col gap-4">
        <FormError error={form.failure === null && passkeyFailure === null ? over : null} />
        <Field label="E-mail" error={errors.email === undefined ? undefined : 'This is not an e-mail address.'}>
          {(aria) => (
            <Input {...aria} type="email" autoComplete="username webauthn" autoFocus {...form.register('email')} />
          )}
        </Field>
        <Field label="Password" error={errors.password?.message}>
          {(aria) => <Input {...aria} type="password" autoComplete="current-password" {...form.register('password')} />}
        </Field>
        <FormError error={form.failure ?? passkeyFailure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          Sign in
        </Button>
        <Link to="/forgot-password" className="w-fit text-sm text-soft underline-offset-2 hover:underline">
          Forgotten the password?
        </Link>
        {passkeysSupported() ? (
          <Button icon={<Fingerprint />} busy={busy} onClick={() => void press()} className="w-full">
            Sign in with a passkey
          </Button>
        ) : null}
      </form>
      <ProviderButtons wanted={wanted} />
    </EntryFrame>
  );
}

export function SecondStep({
  step,
  lead = 'The password is right. Now the second factor.',
  enter,
  startAgain,
}: {
  step: Pick<Step, 'factors'>;
  lead?: string;
  enter: (who: Who) => Promise<void>;
  startAgain: (error: ApiError | null) => void;
}) {
  const kinds = step.factors.filter((kind) => kind !== 'passkey' || passkeysSupported());
  /** A sign-in that has ended cannot be repaired here: back to the first step, with the reason. */
  async function orStartAgain(work: () => Promise<void>) {
    try {
      await work();
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.code !== 'gone') throw error;
      startAgain(error);
    }
  }
  return (
    <EntryFrame title="One more step" lead={lead}>
      <FactorForm
        kinds={kinds}
        action="Sign in"
        answer={(proof) =>
          orStartAgain(async () => {
            if (proof.type !== 'password') await enter(await call('signInFactor', { body: proof }));
          })
        }
        withPasskey={() =>
          orStartAgain(async () => {
            const { options } = await call('signInPasskeyOptions', { body: { for: 'factor' } });
            const passkey = await askForPasskey(options);
            if (passkey !== null) await enter(await call('signInFactor', { body: { type: 'passkey', passkey } }));
          })
        }
      >
        <button
          type="button"
          className="text-sm text-soft underline-offset-2 hover:underline"
          onClick={() => startAgain(null)}
        >
          Sign in as somebody else
        </button>
      </FactorForm>
    </EntryFrame>
  );
}
