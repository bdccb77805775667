import { Copy, Download, Printer } from 'lucide-react';
import { useState } from 'react';
import { RECOVERY_CODES_FEW } from '#domain/factors.ts';
import { call } from '../../../api/client.ts';
import { Badge } from '../../../ui/badge.tsx';
import { Button } from '../../../ui/button.tsx';
import { Card } from '../../../ui/card.tsx';
import { useCopy } from '../../../ui/copy-button.tsx';
import { ConfirmDialog, Dialog } from '../../../ui/dialog.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { factorsChanged } from './security.tsx';

export function RecoveryCodes({ left, onCodes }: { left: number; onCodes: (codes: readonly string[]) => void }) {
  const [asking, setAsking] = useState(false);
  return (
    <Card
      title={
        <span className="flex items-center gap-2">
          Recovery codes <Badge tone={left <= RECOVERY_CODES_FEW ? 'warn' : 'idle'}>{left} left</Badge>
        </span>
      }
      actions={
        <Button size="sm" onClick={() => setAsking(true)}>
          Make new ones
        </Button>
      }
    >
      <p className="text-sm text-soft">
        Each opens the second step once when your phone or key is not at hand. Keep them where you keep papers.
      </p>
      {asking ? (
        <ConfirmDialog
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            const { recoveryCodes } = await call('recoveryCodesCreate', {});
            onCodes(recoveryCodes);
            void factorsChanged();
          }}
          title="Make new recovery codes?"
          body="The codes you have now stop working at once."
          confirmLabel="Make new ones"
        />
      ) : null}
    </Card>
  );
}

/** Shown once: Berth keeps digests only. */
export function RecoveryCodesDialog({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const [copied, copy] = useCopy();
  const text = `Recovery codes of ${location.host}\nEach works once.\n\n${codes.join('\n')}\n`;
  function download() {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = 'berth-recovery-codes.txt';
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Your recovery codes"
      footer={
        <Button tone="primary" onClick={onClose}>
          I have kept them
        </Button>
      }
    >
      <div className="flex flex-col gap-4">
        <Notice tone="warn" title="Keep them now: they are shown this once">
          Without them and without your device only an administrator can let you in again.
        </Notice>
        <ul className="print-only-this mono grid grid-cols-1 gap-x-6 gap-y-1.5 rounded-md border border-line bg-sunken p-3.5 text-sm sm:grid-cols-2">
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ul>
        <div className="flex flex-wrap gap-2">
          <Button size="sm" icon={<Copy />} onClick={() => copy(text)}>
            {copied ? 'Copied' : 'Copy'}
          </Button>
          <Button size="sm" icon={<Download />} onClick={download}>
            Download
          </Button>
          <Button size="sm" icon={<Printer />} onClick={() => window.print()}>
            Print
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
