/** On every page of an organization that an administrator of the installation has entered: why, how long, and the way out. */
import { useNavigate, useRouter } from '@tanstack/react-router';
import { DoorOpen } from 'lucide-react';
import { useEffect, useState } from 'react';
import { toast } from 'sonner';
import { call, toApiError } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { formatDuration } from '../lib/format.ts';
import type { Membership } from '../lib/scope.ts';
import { Button } from '../ui/button.tsx';
import { useNow } from '../ui/time.tsx';

const MINUTE_MS = 60_000;

/** Forgets everything seen inside: none of it may be shown from the cache once the entry is over. */
export async function leaveEntry(id: string): Promise<void> {
  try {
    await call('ownEntriesEnd', { params: { entry: id as never } });
  } catch (thrown) {
    toast.error(toApiError(thrown).message);
  }
  await queryClient.invalidateQueries({ queryKey: ['whoami'] });
  await queryClient.invalidateQueries({ queryKey: ['organizationsList'] });
}

export function EntryBanner({ membership }: { membership: Membership }) {
  const navigate = useNavigate();
  const router = useRouter();
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const { entry, organization } = membership;
  const leftMs = entry === null ? 0 : Date.parse(entry.expiresAt) - now;
  const over = leftMs <= 0;
  useEffect(() => {
    if (!over) return;
    void queryClient.invalidateQueries({ queryKey: ['whoami'] }).then(() => router.invalidate());
  }, [over, router]);
  if (entry === null) return null;
  async function leave(id: string) {
    setBusy(true);
    await navigate({ to: '/platform/organizations', search: { q: undefined } });
    await leaveEntry(id);
  }
  const left = leftMs > MINUTE_MS ? `${Math.ceil(leftMs / MINUTE_MS)} min left` : `${formatDuration(leftMs)} left`;
  return (
    <section
      aria-label="Entry of an administrator"
      className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-warn-dot/35 border-b bg-warn-soft px-4 py-2 text-sm sm:px-6"
    >
      <DoorOpen className="size-4 shrink-0 text-warn" aria-hidden="true" />
      <p className="min-w-0 flex-1 basis-56 break-words">
        <span className="font-medium">
          You are inside {organization.title} as an administrator of the installation.
        </span>{' '}
        <span className="text-soft">Its owners see it: “{entry.reason}”</span>
      </p>
      <span className="tabular whitespace-nowrap text-warn">{over ? 'It is over' : left}</span>
      <Button size="sm" busy={busy} onClick={() => void leave(entry.id)}>
        Leave
      </Button>
    </section>
  );
}
