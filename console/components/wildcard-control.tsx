import { useState } from 'react';
import { toast } from 'sonner';
import type { Domain } from '#contract/domains.ts';
import { toApiError } from '../api/client.ts';
import { whyNot } from '../lib/why-not.ts';
import { Button } from '../ui/button.tsx';
import { TimeAgo } from '../ui/time.tsx';

/** One certificate for a domain and every name directly below it: how it is, and whether it is wanted. */
export function WildcardControl({
  name,
  wildcard,
  able,
  onWant,
}: {
  name: string;
  wildcard: Domain['wildcard'];
  able: true | string;
  onWant: (wanted: boolean) => Promise<void>;
}) {
  const [busy, setBusy] = useState(false);
  async function want(wanted: boolean) {
    setBusy(true);
    try {
      await onWant(wanted);
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    setBusy(false);
  }
  return (
    <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
      <span>
        {wildcard === null ? (
          'none: each name gets its own'
        ) : wildcard.expiresAt === null ? (
          'being made'
        ) : (
          <>
            of {wildcard.issuer}, ends <TimeAgo at={wildcard.expiresAt} />
          </>
        )}
        {wildcard?.problem == null ? null : <span className="block text-bad text-xs">{wildcard.problem}</span>}
      </span>
      <Button size="sm" busy={busy} blocked={whyNot(able)} onClick={() => void want(wildcard === null)}>
        {wildcard === null ? `Make one for *.${name}` : 'Drop it'}
      </Button>
    </span>
  );
}
