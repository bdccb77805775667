import { useQuery } from '@tanstack/react-query';
import { Download, Play, Trash2, Video } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { toast } from 'sonner';
import { buildRequest, call, type OutputOf, toApiError } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { QueryView } from '../../../components/query-view.tsx';
import { formatBytes, formatDuration, plural } from '../../../lib/format.ts';
import { actionsColumn, timeColumn } from '../../../table/columns.tsx';
import { DataTable } from '../../../table/data-table.tsx';
import { Badge } from '../../../ui/badge.tsx';
import { Button, IconButton } from '../../../ui/button.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { EmptyState } from '../../../ui/empty-state.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { Spinner } from '../../../ui/spinner.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { useInstance } from '../context.ts';

const Player = lazy(async () => ({ default: (await import('./player.tsx')).Player }));

type Rule = OutputOf<'sshAccess'>['recording'];
type Item = OutputOf<'sshRecordingsList'>['items'][number];
const SHOWN_MAX = 200;

/** What is recorded here and what was: for everybody the first, for those who may replay it the second. */
export function Recordings({ rule }: { rule: Rule }) {
  return (
    <section aria-labelledby="ssh-recording" className="flex flex-col gap-4">
      <h2 id="ssh-recording" className="font-semibold text-base">
        Recording
      </h2>
      <RuleView rule={rule} />
      {rule.can.play === true ? <List /> : null}
    </section>
  );
}

function RuleView({ rule }: { rule: Rule }) {
  const instance = useInstance();
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const isOn = rule.server || rule.organization;
  async function set(enabled: boolean) {
    const params = { instance: instance.id };
    const access = await call('sshRecordingSet', { params, body: { enabled } });
    queryClient.setQueryData(['sshAccess', { params }], access);
    toast.success(enabled ? 'Sessions are recorded from now on' : 'Sessions are no longer recorded');
  }
  async function stop() {
    setBusy(true);
    await set(false).catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    setBusy(false);
  }
  return (
    <div className="flex max-w-3xl flex-col gap-3">
      {rule.full && isOn ? (
        <Notice tone="bad" title="There is no room left for recordings">
          Nobody can open a terminal by SSH at servers that are recorded, until recordings of the organization are
          deleted. Commands and transfers work.
        </Notice>
      ) : null}
      {isOn ? (
        <Notice title="Sessions with a terminal are recorded">
          What the terminal shows, not what is typed; kept for {plural(rule.days, 'day')}. Everybody who connects is
          told before their shell. Commands without a terminal, scp, sftp, rsync, forwarded ports and the terminal in
          this console are not recorded.
        </Notice>
      ) : (
        <p className="text-sm text-soft">Sessions are not recorded.</p>
      )}
      {rule.organization ? (
        <p className="text-sm text-soft">All servers of the organization are recorded: that is one of its settings.</p>
      ) : (
        <Switch
          checked={rule.server}
          disabled={rule.can.update !== true || busy}
          onChange={(on) => (on ? setAsking(true) : void stop())}
          label="Record sessions at this server"
          hint={rule.can.update === true ? 'From the next connection on.' : rule.can.update}
        />
      )}
      {asking ? (
        <ConfirmDialog
          onClose={() => setAsking(false)}
          onConfirm={() => set(true)}
          title={`Record sessions at ${instance.name}?`}
          body="What terminals show is kept, also secrets that somebody prints. Everybody is told when they connect. When a recording cannot be written, the session ends."
          confirmLabel="Record"
        />
      ) : null}
    </div>
  );
}

function List() {
  const instance = useInstance();
  const params = { instance: instance.id };
  const query = useQuery(apiQuery('sshRecordingsList', { params, query: { limit: SHOWN_MAX } }));
  const [playing, setPlaying] = useState<string | null>(null);
  const [removing, setRemoving] = useState<Item | null>(null);
  async function remove(item: Item) {
    await call('sshRecordingsDelete', { params: { ...params, recording: item.id } });
    if (playing === item.id) setPlaying(null);
    await queryClient.invalidateQueries({ queryKey: ['sshRecordingsList'] });
  }
  return (
    <QueryView query={query}>
      {({ items, can }) => (
        <>
          {playing === null ? null : (
            <Suspense fallback={<Spinner />}>
              <Player key={playing} instance={instance.id} recording={playing} onClose={() => setPlaying(null)} />
            </Suspense>
          )}
          <DataTable<Item>
            label="Recordings"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => `Recording of ${row.user.name}, ${row.startedAt}`}
            empty={
              <EmptyState icon={<Video />} title="Nothing was recorded yet">
                Sessions that were recorded can be replayed here.
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
                    <p className="mono text-faint text-xs">{row.address}</p>
                  </div>
                ),
              },
              timeColumn('when', 'When', (row) => row.startedAt),
              {
                id: 'length',
                header: 'Length',
                from: 'sm',
                cell: (row) =>
                  row.endedAt === null ? (
                    <Badge tone="busy">recording</Badge>
                  ) : (
                    <span className="whitespace-nowrap text-soft">{formatDuration(row.milliseconds)}</span>
                  ),
              },
              {
                id: 'size',
                header: 'Size',
                from: 'md',
                cell: (row) => <span className="whitespace-nowrap text-soft">{formatBytes(row.sizeBytes)}</span>,
              },
              {
                id: 'end',
                header: 'End',
                from: 'md',
                cell: (row) => <span className="text-faint text-xs">{row.endReason}</span>,
              },
              actionsColumn((row) => (
                <div className="flex justify-end gap-0.5">
                  <IconButton label="Replay" size="sm" onClick={() => setPlaying(row.id)}>
                    <Play />
                  </IconButton>
                  <IconButton
                    label="Download"
                    size="sm"
                    onClick={() =>
                      window.location.assign(
                        buildRequest('sshRecordingsRead', { params: { ...params, recording: row.id } }).url,
                      )
                    }
                  >
                    <Download />
                  </IconButton>
                  <Button
                    size="sm"
                    icon={<Trash2 />}
                    blocked={
                      can.delete !== true
                        ? can.delete
                        : row.endedAt === null
                          ? 'It is still being recorded.'
                          : undefined
                    }
                    onClick={() => setRemoving(row)}
                  >
                    Delete
                  </Button>
                </div>
              )),
            ]}
          />
          {removing === null ? null : (
            <ConfirmDialog
              danger
              onClose={() => setRemoving(null)}
              onConfirm={() => remove(removing)}
              title={`Delete this recording of ${removing.user.name}?`}
              body="Its file is gone for good. The audit log keeps that there was one, its digest, and that you deleted it."
              confirmLabel="Delete"
            />
          )}
        </>
      )}
    </QueryView>
  );
}
