import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Cable } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { sshCommand, sshConfigEntry, sshHost } from '#domain/ssh.ts';
import { call, type OutputOf } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes } from '../../lib/format.ts';
import { whyNot } from '../../lib/why-not.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Notice } from '../../ui/notice.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { useInstance } from './context.ts';
import { Recordings } from './recordings/recordings.tsx';

type Access = OutputOf<'sshAccess'>;
type SshSession = OutputOf<'sshSessionsList'>['items'][number];
/** The counters of living connections have no hint. */
const COUNTERS_MS = 5_000;

export function SshTab() {
  const instance = useInstance();
  const params = { instance: instance.id };
  const access = useQuery(apiQuery('sshAccess', { params }));
  return (
    <div className="flex flex-col gap-8">
      <QueryView query={access} rows={4}>
        {(data) => (
          <>
            <HostKeyChanged access={data} />
            <Connect access={data} />
          </>
        )}
      </QueryView>
      <Sessions />
      {access.data === undefined ? null : <Recordings rule={access.data.recording} />}
    </div>
  );
}

function Connect({ access }: { access: Access }) {
  const instance = useInstance();
  const keys = useQuery(apiQuery('sshKeysList', {}));
  const { gateway, user } = access;
  if (gateway === null) {
    return <Notice title="No SSH gateway">This installation runs none.</Notice>;
  }
  const address = { host: gateway.host, port: gateway.port, user };
  const there = `${user}@${sshHost(gateway.host)}`;
  return (
    <section aria-labelledby="ssh-connect" className="flex max-w-3xl flex-col gap-3">
      <h2 id="ssh-connect" className="font-semibold text-base">
        Connect
      </h2>
      {keys.data?.items.length === 0 ? (
        <Notice title="You have no SSH key here yet">
          <Link to="/account/ssh-keys" className="underline">
            Add one to your account
          </Link>
          , or answer with your e-mail address, password and second factor.
        </Notice>
      ) : null}
      {instance.can.ssh === true ? null : <Notice tone="warn">{instance.can.ssh}</Notice>}
      <CodeBlock code={sshCommand(address)} label="ssh command" />
      <details className="text-sm">
        <summary className="cursor-pointer text-soft">Files, forwarded ports, and a short name</summary>
        <div className="mt-3 flex flex-col gap-3">
          <CodeBlock
            label="commands"
            code={[
              `scp -P ${gateway.port} report.pdf ${there}:`,
              `rsync -e 'ssh -p ${gateway.port}' -a site/ ${there}:site/`,
              `ssh -p ${gateway.port} -L 5432:127.0.0.1:5432 ${there}`,
            ].join('\n')}
          />
          <p className="text-soft">
            In <code>~/.ssh/config</code>, then <code>ssh {instance.name}</code> and editors know it by its name:
          </p>
          <CodeBlock code={sshConfigEntry(instance.name, address)} label="configuration" />
          <p className="text-soft">
            The gateway’s own key, for <code>~/.ssh/known_hosts</code>:
          </p>
          <CodeBlock code={gateway.knownHosts.join('\n')} label="host key" />
        </div>
      </details>
    </section>
  );
}

function HostKeyChanged({ access }: { access: Access }) {
  const instance = useInstance();
  const [asking, setAsking] = useState(false);
  const { refused, fingerprints } = access.hostKeys;
  if (refused === null) return null;
  return (
    <Notice
      tone="bad"
      title="It has other host keys than when it was made"
      action={
        <Button size="sm" blocked={whyNot(instance.can.rename)} onClick={() => setAsking(true)}>
          Accept them
        </Button>
      }
    >
      <p>
        Nobody gets in by SSH until somebody says that this is right, for example because it was set up anew. Seen{' '}
        <TimeAgo at={refused.at} />: <span className="mono wrap-anywhere">{refused.fingerprint}</span>
      </p>
      <p>
        Known: <span className="mono wrap-anywhere">{fingerprints.join(', ')}</span>
      </p>
      {asking ? (
        <ConfirmDialog
          danger
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            const params = { instance: instance.id };
            const now = await call('sshHostKeysAccept', { params, body: {} });
            queryClient.setQueryData(['sshAccess', { params }], now);
            toast.success('The new host keys are accepted');
          }}
          title={`Accept the host keys that ${instance.name} has now?`}
          body="Berth reads them from its disk, through the engine, and lets people in who find exactly these. Do it only when you know why they changed."
          confirmLabel="Accept"
        />
      ) : null}
    </Notice>
  );
}

function Sessions() {
  const instance = useInstance();
  const params = { instance: instance.id };
  const query = useQuery({
    ...apiQuery('sshSessionsList', { params }),
    refetchInterval: ({ state }) =>
      state.data?.items.some((session) => session.endedAt === null) === true ? COUNTERS_MS : false,
  });
  const [ending, setEnding] = useState<SshSession | null>(null);
  return (
    <section aria-labelledby="ssh-sessions">
      <h2 id="ssh-sessions" className="mb-3 font-semibold text-base">
        Connections
      </h2>
      <QueryView query={query}>
        {({ items }) => (
          <DataTable<SshSession>
            label="SSH connections"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => `${row.user.name} from ${row.address}`}
            empty={
              <EmptyState icon={<Cable />} title="Nobody has connected yet">
                Who is in, from where and since when stands here, and can be ended here.
              </EmptyState>
            }
            columns={[
              {
                id: 'who',
                header: 'Who',
                fills: true,
                cell: (row) => (
                  <div>
                    <p className="font-medium">{row.user.name}</p>
                    <p className="text-faint text-xs">
                      {row.method === 'key' ? `key ${row.keyLabel ?? ''}` : 'password'}
                      {row.recorded ? ', recorded' : ''}
                    </p>
                  </div>
                ),
              },
              {
                id: 'from',
                header: 'From',
                from: 'md',
                cell: (row) => (
                  <div>
                    <p className="mono text-xs">{row.address}</p>
                    <p className="text-faint text-xs">{row.client}</p>
                  </div>
                ),
              },
              {
                id: 'since',
                header: 'Since',
                cell: (row) => <TimeAgo at={row.startedAt} className="whitespace-nowrap text-soft" />,
              },
              {
                id: 'bytes',
                header: 'In, out',
                from: 'md',
                cell: (row) => (
                  <span className="whitespace-nowrap text-soft">
                    {formatBytes(row.bytesIn)}, {formatBytes(row.bytesOut)}
                  </span>
                ),
              },
              {
                id: 'state',
                header: 'State',
                cell: (row) =>
                  row.endedAt === null ? (
                    <Badge tone="ok">{row.ending ? 'ending' : 'connected'}</Badge>
                  ) : (
                    <div className="text-soft text-xs">
                      <TimeAgo at={row.endedAt} className="whitespace-nowrap" />
                      <p className="text-faint">{row.endReason}</p>
                    </div>
                  ),
              },
              actionsColumn((row) =>
                row.endedAt === null ? (
                  <Button size="sm" onClick={() => setEnding(row)}>
                    End
                  </Button>
                ) : null,
              ),
            ]}
          />
        )}
      </QueryView>
      {ending === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setEnding(null)}
          onConfirm={() =>
            call('sshSessionsEnd', { params: { ...params, session: ending.id } }).finally(() =>
              queryClient.invalidateQueries({ queryKey: ['sshSessionsList'] }),
            )
          }
          title={`End the connection of ${ending.user.name}?`}
          body="Shells, transfers and forwarded ports of it are cut at once. They may connect again as long as they have the right."
          confirmLabel="End it"
        />
      )}
    </section>
  );
}
