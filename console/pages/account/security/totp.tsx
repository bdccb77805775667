import { useQuery } from '@tanstack/react-query';
import { Smartphone } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { OutputOf } from '../../../api/client.ts';
import { call, toApiError } from '../../../api/client.ts';
import { CodeField } from '../../../components/code-field.tsx';
import { FormDialog } from '../../../components/form-panel.tsx';
import { useApiForm } from '../../../lib/use-form.ts';
import { Badge } from '../../../ui/badge.tsx';
import { Button } from '../../../ui/button.tsx';
import { Card } from '../../../ui/card.tsx';
import { Copyable } from '../../../ui/copy-button.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { TimeAgo } from '../../../ui/time.tsx';
import { factorsChanged, type Security } from './security.tsx';

type Setup = OutputOf<'totpBegin'>;

/** The authenticator app: set up, or removed. */
export function Totp({ security, onCodes }: { security: Security; onCodes: (codes: readonly string[]) => void }) {
  const [setup, setSetup] = useState<Setup | null>(null);
  const [removing, setRemoving] = useState(false);
  const [busy, setBusy] = useState(false);
  const { totp } = security;
  async function begin() {
    setBusy(true);
    await call('totpBegin', {}).then(setSetup, (thrown: unknown) => toast.error(toApiError(thrown).message));
    setBusy(false);
  }
  return (
    <Card
      title={
        <span className="flex items-center gap-2">
          Authenticator app {totp === null ? null : <Badge tone="ok">on</Badge>}
        </span>
      }
      actions={
        totp === null ? null : (
          <Button size="sm" onClick={() => setRemoving(true)}>
            Remove
          </Button>
        )
      }
    >
      {totp === null ? (
        <div className="flex flex-col items-start gap-3">
          <p className="text-sm text-soft">
            An app on your phone shows a new code every 30 seconds. You type it after your password.
          </p>
          <Button icon={<Smartphone />} busy={busy} onClick={() => void begin()}>
            Set up an authenticator app
          </Button>
        </div>
      ) : (
        <p className="text-sm text-soft">
          Set up <TimeAgo at={totp.since} />. Each code works once.
        </p>
      )}
      {setup === null ? null : (
        <SetupDialog
          setup={setup}
          onClose={() => setSetup(null)}
          onDone={async (codes) => {
            setSetup(null);
            await factorsChanged();
            toast.success('The authenticator app is set up', { description: 'All your other sessions have ended.' });
            if (codes !== null) onCodes(codes);
          }}
        />
      )}
      {removing ? (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(false)}
          onConfirm={() => call('totpRemove', {}).then(factorsChanged)}
          title="Remove the authenticator app?"
          body={
            security.passkeys.length > 0
              ? 'Its codes stop working. Your passkeys stay your second factor.'
              : 'Its codes and your recovery codes stop working: your password alone will open this account.'
          }
          confirmLabel="Remove it"
        />
      ) : null}
    </Card>
  );
}

const codeForm = z.object({
  code: z.string().refine((text) => /^[0-9]{6}$/.test(text.replace(/\s/g, '')), 'Six digits.'),
});

function SetupDialog({
  setup,
  onClose,
  onDone,
}: {
  setup: Setup;
  onClose: () => void;
  onDone: (codes: string[] | null) => Promise<void>;
}) {
  const form = useApiForm(codeForm, { code: '' });
  return (
    <FormDialog
      onClose={onClose}
      title="Set up an authenticator app"
      label="Turn it on"
      form={form}
      onSubmit={form.submit(async ({ code }) => {
        const { recoveryCodes } = await call('totpConfirm', { body: { code } });
        await onDone(recoveryCodes);
      })}
    >
      <p className="text-sm text-soft">Scan this with the app, or type the key. Then type the code it shows.</p>
      <QrCode text={setup.uri} />
      <div className="text-sm">
        <p className="text-faint text-xs">Key</p>
        <Copyable text={setup.secret}>{setup.secret.replace(/(.{4})(?=.)/g, '$1 ')}</Copyable>
      </div>
      <CodeField {...form.register('code')} error={form.formState.errors.code?.message} autoFocus />
    </FormDialog>
  );
}

const QUIET_ZONE = 3;

/** Dark on light in every theme: cameras want it so. */
function QrCode({ text }: { text: string }) {
  const drawn = useQuery({
    queryKey: ['qr', text],
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      const { create } = await import('qrcode');
      const { modules } = create(text, { errorCorrectionLevel: 'M' });
      let path = '';
      for (let row = 0; row < modules.size; row++) {
        for (let column = 0; column < modules.size; column++) {
          if (modules.get(row, column)) path += `M${column + QUIET_ZONE} ${row + QUIET_ZONE}h1v1h-1z`;
        }
      }
      return { path, size: modules.size + 2 * QUIET_ZONE };
    },
  });
  return (
    <div className="mx-auto size-52 rounded-md border border-line bg-white">
      {drawn.data === undefined ? null : (
        <svg
          viewBox={`0 0 ${drawn.data.size} ${drawn.data.size}`}
          role="img"
          aria-label="QR code of the key"
          shapeRendering="crispEdges"
        >
          <path d={drawn.data.path} fill="#000" />
        </svg>
      )}
    </div>
  );
}
