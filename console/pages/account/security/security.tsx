import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { RECOVERY_CODES_FEW } from '#domain/factors.ts';
import type { OutputOf } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { QueryView } from '../../../components/query-view.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { Identities } from './identities.tsx';
import { Passkeys } from './passkeys.tsx';
import { RecoveryCodes, RecoveryCodesDialog } from './recovery-codes.tsx';
import { Totp } from './totp.tsx';

export type Security = OutputOf<'securityGet'>;

/** After any change of factors: this page, and who one is (an organization may open now). */
export async function factorsChanged(): Promise<void> {
  await Promise.all(
    ['securityGet', 'whoami', 'sessionsList'].map((name) => queryClient.invalidateQueries({ queryKey: [name] })),
  );
}

export function SecurityTab() {
  const navigate = useNavigate();
  const { return: wanted } = useSearch({ from: '/shell/account/security' });
  const query = useQuery(apiQuery('securityGet', {}));
  /** Codes that were made just now: shown once, whatever the page below does meanwhile. */
  const [fresh, setFresh] = useState<readonly string[] | null>(null);
  function close() {
    setFresh(null);
    // Who was led here to set up a first factor goes on to where they wanted to be.
    if (wanted !== undefined) void navigate({ href: wanted });
  }
  return (
    <>
      <QueryView query={query}>
        {(security) => {
          const enrolled = security.totp !== null || security.passkeys.length > 0;
          return (
            <div className="flex flex-col gap-5">
              <Standing security={security} enrolled={enrolled} />
              <Totp security={security} onCodes={setFresh} />
              <Passkeys security={security} onCodes={setFresh} />
              {enrolled ? <RecoveryCodes left={security.recoveryCodesLeft} onCodes={setFresh} /> : null}
              <Identities />
            </div>
          );
        }}
      </QueryView>
      {fresh === null ? null : <RecoveryCodesDialog codes={fresh} onClose={close} />}
    </>
  );
}

/** The one thing to do next, if any. */
function Standing({ security, enrolled }: { security: Security; enrolled: boolean }) {
  if (!enrolled && security.requiredBy.length > 0) {
    return (
      <Notice tone="warn" title={`${security.requiredBy.join(', ')} asks for a second factor`}>
        Set up an authenticator app or a passkey here. Until then you cannot enter; nothing of yours is lost.
      </Notice>
    );
  }
  if (!enrolled) {
    return (
      <Notice title="Your password is all that protects this account">
        With a second factor a stolen password is not enough to get in.
      </Notice>
    );
  }
  if (security.recoveryCodesLeft <= RECOVERY_CODES_FEW) {
    return (
      <Notice
        tone="warn"
        title={
          security.recoveryCodesLeft === 0
            ? 'You have no recovery codes left'
            : `Only ${security.recoveryCodesLeft} recovery codes left`
        }
      >
        Make new ones below. Without them a lost device means asking an administrator.
      </Notice>
    );
  }
  return null;
}
