import { Link, useParams } from '@tanstack/react-router';
import { OperationProgress, useOperation } from '../../components/operation-progress.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { useSession } from '../../shell/session.ts';
import { Card } from '../../ui/card.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { Elapsed, TimeAgo } from '../../ui/time.tsx';

export function OperationPage() {
  const { operation: id } = useParams({ from: '/shell/operations/$operation' });
  const session = useSession();
  const query = useOperation(id);
  return (
    <QueryView query={query}>
      {(operation) => {
        const project = session.projects.find((each) => each.id === operation.project);
        return (
          <>
            <PageHeader title={operation.title} description={<>Asked for by {operation.actor}</>} />
            <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
              <OperationProgress id={id} linked={false} />
              <div className="flex flex-col gap-5">
                <Card title="Details" flush>
                  <Properties
                    items={[
                      ['Id', <Copyable key="id" text={operation.id} />],
                      [
                        'Kind',
                        <span key="k" className="mono">
                          {operation.kind}
                        </span>,
                      ],
                      [
                        'Works on',
                        operation.instance !== null && project !== undefined && operation.kind !== 'instance.purge' ? (
                          <Link
                            key="t"
                            to="/p/$project/instances/$instance"
                            params={{ project: projectSlug(session, project), instance: operation.instance }}
                            className="text-accent hover:underline"
                          >
                            {operation.target}
                          </Link>
                        ) : (
                          operation.target
                        ),
                      ],
                      ['Asked for', <TimeAgo key="c" at={operation.createdAt} />],
                      [
                        'Took',
                        operation.startedAt === null ? null : (
                          <Elapsed key="e" from={operation.startedAt} until={operation.finishedAt} />
                        ),
                      ],
                      ['Usually', operation.usualSeconds === null ? undefined : `${operation.usualSeconds} s`],
                    ]}
                  />
                </Card>
                <Card title="From the command line">
                  <CodeBlock label="command" code={`berth operations get ${operation.id}`} />
                </Card>
              </div>
            </div>
          </>
        );
      }}
    </QueryView>
  );
}
