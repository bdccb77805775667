import { useState } from 'react';
import { toast } from 'sonner';
import type { Domain } from '#contract/domains.ts';
import { call, toApiError } from '../../api/client.ts';
import { whyNot } from '../../lib/why-not.ts';
import { Button } from '../../ui/button.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { refreshDomains } from './refresh.ts';

/** One certificate for the domain and every name directly below it: how it is, and whether it is wanted. */
export function WildcardControl({ domain }: { domain: Domain }) {
  const [busy, setBusy] = useState(false);
  const { wildcard } = domain;
  async function want(wanted: boolean) {
    setBusy(true);
    try {
      await call('domainsUpdate', { params: { domain: domain.id }, body: { wildcard: wanted } });
      await refreshDomains();
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
      <Button size="sm" busy={busy} blocked={whyNot(domain.can.wildcard)} onClick={() => void want(wildcard === null)}>
        {wildcard === null ? `Make one for *.${domain.name}` : 'Drop it'}
      </Button>
    </span>
  );
}
