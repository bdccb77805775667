import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { MonitorOff } from 'lucide-react';
import { useEffect } from 'react';
import { apiQuery } from '../../../api/queries.ts';
import { QueryView } from '../../../components/query-view.tsx';
import { EntryBanner } from '../../../shell/entry-banner.tsx';
import { useSession } from '../../../shell/session.ts';
import { EmptyState } from '../../../ui/empty-state.tsx';
import { ScreenView } from './screen.tsx';

/** No live connection out here: a desktop that does not run yet is asked about this often (milliseconds). */
const POLL_MS = 3000;

/** The screen of one desktop in the whole window; its own host name leads here. */
export function ScreenWindow() {
  const { instance } = useParams({ strict: false }) as { instance: string };
  const query = useQuery({ ...apiQuery('instancesGet', { params: { instance } }), refetchInterval: POLL_MS });
  const name = query.data?.name;
  useEffect(() => {
    if (name !== undefined) document.title = name;
  }, [name]);
  const { memberships, projects } = useSession();
  const organization = projects.find((each) => each.id === query.data?.project)?.organization;
  const entered = memberships.find((each) => each.organization.id === organization && each.entry !== null);
  return (
    <main className="flex h-dvh flex-col bg-sunken p-1">
      {entered === undefined ? null : <EntryBanner membership={entered} />}
      <QueryView query={query}>
        {(desktop) =>
          desktop.can.screen === true ? (
            <ScreenView key={desktop.id} id={desktop.id} name={desktop.name} running={desktop.observed === 'running'} />
          ) : (
            <div className="m-auto">
              <EmptyState icon={<MonitorOff />} title={`No screen of ${desktop.name} now`}>
                {desktop.can.screen}
              </EmptyState>
            </div>
          )
        }
      </QueryView>
    </main>
  );
}
