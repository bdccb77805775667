import { Link, useNavigate } from '@tanstack/react-router';
import type { Operation } from '#contract/operations.ts';
import { isFinished } from '#domain/operations.ts';
import { operationTones, operationWords } from '../lib/instance-view.ts';
import { timeColumn } from '../table/columns.tsx';
import { DataTable } from '../table/data-table.tsx';
import { Badge } from '../ui/badge.tsx';
import { Elapsed } from '../ui/time.tsx';

/** What a row says about where an operation stands: the running or the failed step. */
export function operationLine(operation: Operation): string {
  if (operation.error !== null) return operation.error.message;
  const running = operation.steps.find((step) => step.state === 'running');
  if (running !== undefined)
    return running.percent === null ? running.title : `${running.title}, ${Math.round(running.percent)} %`;
  return '';
}

export function OperationsTable({
  operations,
  empty,
  filter = '',
}: {
  operations: readonly Operation[];
  empty: React.ReactNode;
  filter?: string;
}) {
  const navigate = useNavigate();
  return (
    <DataTable<Operation>
      label="Operations"
      rows={operations}
      rowId={(row) => row.id}
      rowName={(row) => row.title}
      href={(row) => `/operations/${row.id}`}
      onOpen={(row) => void navigate({ to: '/operations/$operation', params: { operation: row.id } })}
      filter={filter}
      empty={empty}
      columns={[
        {
          id: 'title',
          header: 'Operation',
          fills: true,
          text: (row) => `${row.title} ${row.target} ${row.actor} ${row.kind}`,
          cell: (row) => (
            <div className="min-w-0">
              <Link
                to="/operations/$operation"
                params={{ operation: row.id }}
                className="font-medium hover:text-accent"
              >
                {row.title}
              </Link>
              <span className="block max-w-xl truncate text-faint text-xs">{operationLine(row)}</span>
            </div>
          ),
        },
        {
          id: 'state',
          header: 'State',
          cell: (row) => (
            <Badge tone={operationTones[row.state]} dot moving={!isFinished(row.state)}>
              {operationWords[row.state]}
            </Badge>
          ),
        },
        {
          id: 'took',
          header: 'Took',
          from: 'sm',
          align: 'right',
          cell: (row) => (
            <span className="whitespace-nowrap text-soft">
              {row.startedAt === null ? '' : <Elapsed from={row.startedAt} until={row.finishedAt} />}
            </span>
          ),
        },
        {
          id: 'actor',
          header: 'By',
          from: 'md',
          cell: (row) => <span className="whitespace-nowrap text-soft">{row.actor}</span>,
        },
        timeColumn('at', 'When', (row) => row.createdAt),
      ]}
    />
  );
}
