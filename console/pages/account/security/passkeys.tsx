import { Fingerprint } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import { describeUserAgent } from '#domain/sessions.ts';
import { call } from '../../../api/client.ts';
import { FormDialog } from '../../../components/form-panel.tsx';
import { makePasskey, passkeysSupported } from '../../../lib/passkeys.ts';
import { useApiForm } from '../../../lib/use-form.ts';
import { Badge } from '../../../ui/badge.tsx';
import { Button } from '../../../ui/button.tsx';
import { Card } from '../../../ui/card.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { Field, Input } from '../../../ui/input.tsx';
import { TimeAgo } from '../../../ui/time.tsx';
import { factorsChanged, type Security } from './security.tsx';

type Passkey = Security['passkeys'][number];
const nameForm = z.object({ name: z.string().trim().min(1, 'Which device is it?').max(80) });

export function Passkeys({ security, onCodes }: { security: Security; onCodes: (codes: readonly string[]) => void }) {
  const [adding, setAdding] = useState(false);
  const [renaming, setRenaming] = useState<Passkey | null>(null);
  const [removing, setRemoving] = useState<Passkey | null>(null);
  const last = security.passkeys.length === 1 && security.totp === null;
  return (
    <Card
      title={
        <span className="flex items-center gap-2">
          Passkeys {security.passkeys.length === 0 ? null : <Badge tone="ok">{security.passkeys.length}</Badge>}
        </span>
      }
      flush
    >
      <ul className="divide-y divide-line">
        {security.passkeys.map((passkey) => (
          <li key={passkey.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
            <div className="min-w-0 flex-1">
              <p className="flex items-center gap-2 font-medium">
                <span className="truncate">{passkey.name}</span>
                {passkey.synced ? <Badge>synced</Badge> : null}
              </p>
              <p className="text-faint text-xs">
                added <TimeAgo at={passkey.createdAt} />,{' '}
                {passkey.lastUsedAt === null ? (
                  'never used'
                ) : (
                  <>
                    used <TimeAgo at={passkey.lastUsedAt} />
                  </>
                )}
              </p>
            </div>
            <div className="flex gap-2">
              <Button size="sm" onClick={() => setRenaming(passkey)} aria-label={`Rename ${passkey.name}`}>
                Rename
              </Button>
              <Button size="sm" onClick={() => setRemoving(passkey)} aria-label={`Remove ${passkey.name}`}>
                Remove
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <div className="flex flex-col items-start gap-3 p-4">
        <p className="text-sm text-soft">
          A device or security key that signs you in with your finger, face or PIN: as the second step after the
          password, or without a password at all. It cannot be phished.
        </p>
        <Button
          icon={<Fingerprint />}
          onClick={() => setAdding(true)}
          blocked={!passkeysSupported() && 'This browser does not know passkeys.'}
        >
          Add a passkey
        </Button>
      </div>
      {adding ? <AddDialog onClose={() => setAdding(false)} onCodes={onCodes} /> : null}
      {renaming === null ? null : <RenameDialog passkey={renaming} onClose={() => setRenaming(null)} />}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={() => call('passkeysDelete', { params: { passkey: removing.id } }).then(factorsChanged)}
          title={`Remove the passkey “${removing.name}”?`}
          body={
            last
              ? 'It no longer signs you in, and your recovery codes stop working: your password alone will open this account.'
              : 'It no longer signs you in. Delete it on the device as well, so that the device does not offer it any more.'
          }
          confirmLabel="Remove it"
        />
      )}
    </Card>
  );
}

function AddDialog({ onClose, onCodes }: { onClose: () => void; onCodes: (codes: readonly string[]) => void }) {
  const form = useApiForm(nameForm, { name: describeUserAgent(navigator.userAgent) });
  return (
    <FormDialog
      onClose={onClose}
      title="Add a passkey"
      description="Give it a name that tells you later which device it is on."
      label="Go on"
      form={form}
      onSubmit={form.submit(async ({ name }) => {
        const { options } = await call('passkeyOptions', {});
        const passkey = await makePasskey(options);
        if (passkey === null) return;
        const { recoveryCodes } = await call('passkeysCreate', { body: { name, passkey } });
        onClose();
        await factorsChanged();
        toast.success(`“${name}” signs you in from now on`);
        if (recoveryCodes !== null) onCodes(recoveryCodes);
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus {...form.register('name')} />}
      </Field>
    </FormDialog>
  );
}

function RenameDialog({ passkey, onClose }: { passkey: Passkey; onClose: () => void }) {
  const form = useApiForm(nameForm, { name: passkey.name });
  return (
    <FormDialog
      onClose={onClose}
      title="Rename the passkey"
      label="Rename"
      form={form}
      onSubmit={form.submit(async (body) => {
        await call('passkeysUpdate', { params: { passkey: passkey.id }, body });
        onClose();
        await factorsChanged();
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus {...form.register('name')} />}
      </Field>
    </FormDialog>
  );
}
