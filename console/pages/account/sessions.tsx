import { useQuery } from '@tanstack/react-query';
import { Globe, SquareTerminal } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { plural } from '../../lib/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { ScopeList } from './scopes.tsx';

/** Browsers and programs that are signed in as this person. */
export function SessionsTab() {
  const query = useQuery(apiQuery('sessionsList', {}));
  const [asking, setAsking] = useState(false);
  async function end(work: () => Promise<unknown>, done: string) {
    try {
      await work();
      toast.message(done);
    } finally {
      await queryClient.invalidateQueries({ queryKey: ['sessionsList'] });
    }
  }
  const others = query.data?.items.filter((each) => !each.current).length ?? 0;
  return (
    <>
      <Card
        title="Where you are signed in"
        flush
        actions={
          others === 0 ? undefined : (
            <Button size="sm" onClick={() => setAsking(true)}>
              End all others
            </Button>
          )
        }
      >
        <QueryView query={query} rows={2}>
          {({ items }) => (
            <ul className="divide-y divide-line">
              {items.map((each) => (
                <li key={each.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
                  <span className="text-faint [&_svg]:size-4.5" aria-hidden="true">
                    {each.kind === 'client' ? <SquareTerminal /> : <Globe />}
                  </span>
                  <div className="min-w-0 flex-1">
                    <p className="flex flex-wrap items-center gap-2 font-medium" title={each.userAgent}>
                      {each.device}
                      {each.current ? <Badge tone="accent">this one</Badge> : null}
                      {each.kind === 'client' ? <Badge>program</Badge> : null}
                    </p>
                    <p className="text-faint text-xs">
                      <span className="mono">{each.address}</span> · signed in <TimeAgo at={each.createdAt} />, seen{' '}
                      <TimeAgo at={each.lastSeenAt} />, ends <TimeAgo at={each.expiresAt} />
                    </p>
                    {each.scopes === null ? null : (
                      <div className="mt-1 text-soft text-xs">
                        May <ScopeList scopes={each.scopes} />
                      </div>
                    )}
                  </div>
                  {each.current ? null : (
                    <Button
                      size="sm"
                      aria-label={`End it: the session of ${each.device}`}
                      onClick={() =>
                        void end(
                          () => call('sessionsRevoke', { params: { session: each.id } }),
                          'That session has ended',
                        ).catch((thrown: unknown) => toast.error(toApiError(thrown).message))
                      }
                    >
                      End it
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )}
        </QueryView>
      </Card>
      {asking ? (
        <ConfirmDialog
          danger
          onClose={() => setAsking(false)}
          onConfirm={() => end(() => call('sessionsRevokeOthers', {}), 'All other sessions have ended')}
          title={`End ${plural(others, 'other session')}?`}
          body="Browsers and programs that are signed in as you are signed out at once, with their open screens and terminals. What runs keeps running. API tokens stay."
          confirmLabel="End them"
        />
      ) : null}
    </>
  );
}
