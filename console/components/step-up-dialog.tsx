/** Asks for a fresh confirmation, then lets the waiting calls go on. */
import { useQuery } from '@tanstack/react-query';
import { call } from '../api/client.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { settleStepUp, stepUpRequests } from '../api/step-up.ts';
import { askForPasskey, passkeysSupported } from '../lib/passkeys.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { FactorForm, type Proof } from './factor-form.tsx';
import { QueryView } from './query-view.tsx';

export function StepUpDialog() {
  const [request] = stepUpRequests.use();
  const security = useQuery(apiQuery('securityGet', {}));
  if (request === undefined) return null;
  async function confirm(proof: Proof) {
    await call('confirm', { body: proof });
    settleStepUp(true);
    await queryClient.invalidateQueries({ queryKey: ['securityGet'] });
  }
  return (
    <Dialog open onClose={() => settleStepUp(false)} title="Is it you?" description={request.reason}>
      <QueryView query={security} rows={2}>
        {({ confirmWith }) => {
          const kinds = confirmWith.filter((kind) => kind !== 'passkey' || passkeysSupported());
          if (kinds.length === 0) {
            return (
              <Notice tone="warn" title="Sign in again">
                There is nothing to confirm with here. Sign out and in again: that counts as well.
              </Notice>
            );
          }
          return (
            <FactorForm
              kinds={kinds}
              action="Confirm"
              answer={confirm}
              withPasskey={async () => {
                const { options } = await call('confirmPasskeyOptions', {});
                const passkey = await askForPasskey(options);
                if (passkey !== null) await confirm({ type: 'passkey', passkey });
              }}
            />
          );
        }}
      </QueryView>
    </Dialog>
  );
}
