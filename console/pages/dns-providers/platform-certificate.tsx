import { useQuery } from '@tanstack/react-query';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { WildcardControl } from '../../components/wildcard-control.tsx';
import { Card } from '../../ui/card.tsx';
import { Properties } from '../../ui/properties.tsx';

/** One certificate for every name directly below the platform's own domain. */
export function PlatformCertificateCard() {
  const query = useQuery(apiQuery('platformCertificateGet', {}));
  return (
    <QueryView query={query}>
      {({ domain, dns, wildcard, can }) => (
        <Card className="mt-4">
          <div className="border-line border-b px-4 py-3">
            <h2 className="font-medium">Certificate of {domain}</h2>
            <p className="text-sm text-soft">
              One for every name directly below it. Without it each desktop, server and route has one made for its own
              name; authorities limit how many of those they give in a week.
            </p>
          </div>
          <Properties
            items={[
              ['Zone', dns === null ? 'no provider below keeps it' : `${dns.zone}, at ${dns.provider}`],
              [
                'Wildcard certificate',
                <WildcardControl
                  key="wildcard"
                  name={domain}
                  wildcard={wildcard}
                  able={can.wildcard}
                  onWant={async (wanted) => {
                    await call('platformCertificateUpdate', { body: { wildcard: wanted } });
                    await queryClient.invalidateQueries({ queryKey: ['platformCertificateGet'] });
                  }}
                />,
              ],
            ]}
          />
        </Card>
      )}
    </QueryView>
  );
}
