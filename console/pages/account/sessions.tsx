import { useQuery } from '@tanstack/react-query';
import { toast } from 'sonner';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { describeUserAgent } from '../../lib/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { TimeAgo } from '../../ui/time.tsx';

export function SessionsTab() {
  const query = useQuery(apiQuery('sessionsList', {}));
  async function end(session: string) {
    try {
      await call('sessionsRevoke', { params: { session } });
      toast.message('That session has ended');
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await queryClient.invalidateQueries({ queryKey: ['sessionsList'] });
  }
  return (
    <Card title="Where you are signed in" flush>
      <QueryView query={query} rows={2}>
        {({ items }) => (
          <ul className="divide-y divide-line">
            {items.map((each) => (
              <li key={each.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
                <div className="min-w-0 flex-1">
                  <p className="flex items-center gap-2 font-medium" title={each.userAgent}>
                    {describeUserAgent(each.userAgent)}
                    {each.current ? <Badge tone="accent">this one</Badge> : null}
                  </p>
                  <p className="text-faint text-xs">
                    <span className="mono">{each.address}</span> · signed in <TimeAgo at={each.createdAt} />, seen{' '}
                    <TimeAgo at={each.lastSeenAt} />, ends <TimeAgo at={each.expiresAt} />
                  </p>
                </div>
                {each.current ? null : (
                  <Button size="sm" onClick={() => void end(each.id)}>
                    End it
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
      </QueryView>
    </Card>
  );
}
