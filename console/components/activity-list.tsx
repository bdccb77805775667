import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { History } from 'lucide-react';
import { apiQuery } from '../api/queries.ts';
import { humanize } from '../lib/format.ts';
import { Badge } from '../ui/badge.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { TimeAgo } from '../ui/time.tsx';
import { QueryView } from './query-view.tsx';

const words: Record<string, string> = {
  'instance.create': 'created',
  'instance.start': 'started',
  'instance.stop': 'stopped',
  'instance.restart': 'restarted',
  'instance.pause': 'paused',
  'instance.resume': 'resumed',
  'instance.resize': 'resized',
  'instance.rename': 'renamed',
  'instance.clone': 'cloned',
  'instance.archive': 'deleted',
  'instance.restore': 'restored',
  'instance.purge': 'removed for good',
  'instance.transfer': 'moved to another project:',
  'instance.update': 'changed',
  'instance.drift': 'noticed a change of',
  'snapshot.create': 'took a snapshot of',
  'snapshot.restore': 'rolled back',
  'snapshot.rollback': 'rolled back',
  'snapshot.delete': 'deleted a snapshot of',
  'stack.create': 'wrote a stack on',
  'stack.write': 'changed a stack on',
  'stack.remove': 'removed a stack from',
  'stack.up': 'started a stack on',
  'stack.down': 'took a stack down on',
  'stack.restart': 'restarted a stack on',
  'stack.pull': 'pulled the images of a stack on',
  'docker.clean': 'cleaned up Docker on',
  'container.start': 'started a container on',
  'container.stop': 'stopped a container on',
  'container.restart': 'restarted a container on',
  'grants.set': 'shared',
  'grants.remove': 'took back a share of',
  'quota.update': 'changed the',
  'quota.correct': 'corrected the use of the',
  'projects.create': 'made the project',
  'projects.update': 'changed the project',
  'route.create': 'added the route',
  'route.update': 'changed the route',
  'route.delete': 'removed the route',
  'security-group.create': 'made the security group',
  'security-group.update': 'changed the security group',
  'security-group.delete': 'deleted the security group',
  'address-set.put': 'changed the address set',
  'address-set.delete': 'deleted the address set',
  'egress.update': 'changed what may be reached:',
  'backup.create': 'backed up',
  'backup.restore': 'restored a backup of',
  'backup.recover': 'restored a backup as',
  'backup.verify': 'verified the backups of',
  'backup.delete': 'deleted a backup of',
  'forward.create': 'opened the port forward',
  'forward.update': 'changed the port forward',
  'forward.delete': 'closed the port forward',
};

/** Who changed what, newest first, in one line each. */
export function ActivityList({
  project,
  slug,
  instance,
  limit = 20,
}: {
  project: string;
  slug: string;
  instance?: string;
  limit?: number;
}) {
  const query = useQuery(
    apiQuery('activityList', {
      params: { project },
      query: { limit, ...(instance === undefined ? {} : { instance: instance as never }) },
    }),
  );
  return (
    <QueryView query={query} rows={3}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState icon={<History />} title="Nothing happened yet" />
        ) : (
          <ul className="divide-y divide-line">
            {items.map((entry) => (
              <li key={entry.id} className="flex items-baseline gap-3 px-4 py-2.5 text-sm">
                <p className="min-w-0 flex-1 break-words text-soft">
                  <span className="text-text">{entry.actor}</span>{' '}
                  {words[entry.action] ?? humanize(entry.action).toLowerCase()}{' '}
                  {entry.targetId?.startsWith('ins_') === true && instance === undefined ? (
                    <Link
                      to="/p/$project/instances/$instance"
                      params={{ project: slug, instance: entry.targetId }}
                      className="font-medium text-text hover:text-accent"
                    >
                      {entry.target}
                    </Link>
                  ) : (
                    <span className="font-medium text-text">{entry.target}</span>
                  )}
                  {entry.result === 'ok' ? null : (
                    <Badge tone={entry.result === 'failed' ? 'bad' : 'warn'} className="ml-2">
                      {entry.result}
                    </Badge>
                  )}
                </p>
                <TimeAgo at={entry.at} className="whitespace-nowrap text-faint text-xs" />
              </li>
            ))}
          </ul>
        )
      }
    </QueryView>
  );
}
