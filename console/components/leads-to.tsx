/** What tables and forms of addresses and of ports share: both lead into an instance. */
import { Link } from '@tanstack/react-router';
import type { Column } from '../table/data-table.tsx';
import { Notice } from '../ui/notice.tsx';

/** Where a row leads; with the instance's name, as a link, where rows of several instances are shown. */
export function leadsToColumn<T extends { instanceName: string }>(
  project: string,
  withInstance: boolean,
  target: (row: T) => string,
): Column<T> {
  return {
    id: 'target',
    header: 'Leads to',
    beneath: true,
    cell: (row) => (
      <span className="whitespace-nowrap text-soft">
        {withInstance ? (
          <>
            <Link
              to="/p/$project/instances/$instance/routes"
              params={{ project, instance: row.instanceName }}
              className="text-text hover:text-accent"
            >
              {row.instanceName}
            </Link>
            {' · '}
          </>
        ) : null}
        {target(row)}
      </span>
    ),
  };
}

/** Said before something answers to everybody. `port` is what the person has typed so far. */
export function OpenToEverybody({ port }: { port: number }) {
  return (
    <Notice tone="warn" title="Open to everybody who can reach this installation">
      Berth asks nobody to sign in. What answers on port {port > 0 ? port : '…'} has to protect itself.
    </Notice>
  );
}
