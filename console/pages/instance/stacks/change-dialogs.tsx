/** The questions before something inside is removed: what it costs stands there before it is done. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Stack } from '#contract/stacks.ts';
import { type CleanPart, cleanParts } from '#domain/stacks.ts';
import { call, toApiError } from '../../../api/client.ts';
import { apiQuery } from '../../../api/queries.ts';
import { OperationProgress, useOperation } from '../../../components/operation-progress.tsx';
import { QueryView } from '../../../components/query-view.tsx';
import { formatBytes, plural } from '../../../lib/format.ts';
import { Button } from '../../../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../../../ui/dialog.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { Checkbox } from '../../../ui/switch.tsx';
import { refreshStacks } from './containers-table.tsx';

type Place = { instance: string; onClose: () => void };

export function DownDialog({ instance, stack, onClose }: Place & { stack: Stack }) {
  const [volumes, setVolumes] = useState(false);
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={() =>
        call('stacksRun', { params: { instance, stack: stack.name, verb: 'down' }, body: { volumes } }).finally(
          refreshStacks,
        )
      }
      title={`Take ${stack.name} down?`}
      body={
        <div className="flex flex-col gap-3">
          <p>
            Its {plural(stack.containers.length, 'container')} and networks are stopped and removed; what is only in the
            containers is lost. {stack.file === null ? '' : 'Its compose file stays. '}
            {volumes ? <strong>Its volumes go too, with all data in them.</strong> : 'Its volumes stay.'}
          </p>
          <span className="inline-flex items-center gap-2 text-text">
            <Checkbox checked={volumes} onChange={setVolumes} label="Remove its volumes too" />
            Remove its volumes too
          </span>
        </div>
      }
      confirmLabel={volumes ? 'Take down, remove volumes' : 'Take down'}
    />
  );
}

export function RemoveStackDialog({ instance, stack, onClose }: Place & { stack: Stack }) {
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={async () => {
        await call('stacksRemove', { params: { instance, stack: stack.name } }).finally(refreshStacks);
        toast.success(`${stack.name} is removed`);
      }}
      title={`Remove ${stack.name}?`}
      body={
        <p>
          Its compose file <code className="break-all">{stack.file}</code> is removed. Volumes stay, and so does what
          else is in its folder.
        </p>
      }
      confirmLabel="Remove"
    />
  );
}

const titles: Record<CleanPart, string> = {
  containers: 'Stopped containers',
  networks: 'Unused networks',
  images: 'Images no container uses',
  cache: 'Build cache',
  volumes: 'Unused volumes',
};

/** What is there first; then what is ticked is removed, and what that freed is said. */
export function CleanDialog({ instance, name, onClose }: Place & { name: string }) {
  const query = useQuery({ ...apiQuery('dockerUsage', { params: { instance } }), staleTime: 0 });
  const [off, setOff] = useState<ReadonlySet<CleanPart>>(new Set<CleanPart>(['volumes']));
  const [operation, setOperation] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const parts = cleanParts.filter((part) => !off.has(part));
  async function clean(): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      setOperation((await call('dockerClean', { params: { instance }, body: { parts } })).operation.id);
    } catch (thrown) {
      setError(toApiError(thrown).message);
    } finally {
      setBusy(false);
    }
  }
  const can = query.data?.can.clean;
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Clean up Docker on ${name}`}
      description="Removes what nothing inside uses any more."
      footer={
        operation === null ? (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              tone="danger"
              busy={busy}
              blocked={
                can !== undefined && can !== true
                  ? can
                  : query.data?.state !== 'running'
                    ? 'Docker does not run inside.'
                    : parts.length === 0
                      ? 'Nothing is ticked.'
                      : undefined
              }
              onClick={() => void clean()}
            >
              Remove what is ticked
            </Button>
          </>
        ) : (
          <Button onClick={onClose}>Close</Button>
        )
      }
    >
      {operation !== null ? (
        <CleanProgress operation={operation} />
      ) : (
        <QueryView query={query} rows={4}>
          {(usage) =>
            usage.state !== 'running' ? (
              <Notice title="Docker does not run inside.">There is nothing to count until it does.</Notice>
            ) : (
              <ul className="flex flex-col divide-y divide-line">
                {cleanParts.map((part) => {
                  const row = usage.parts.find((each) => each.part === part);
                  return (
                    <li key={part} className="flex items-center gap-3 py-2 text-sm">
                      <Checkbox
                        checked={!off.has(part)}
                        onChange={(on) => {
                          const next = new Set(off);
                          if (on) next.delete(part);
                          else next.add(part);
                          setOff(next);
                        }}
                        label={titles[part]}
                      />
                      <span className="min-w-0 flex-1">
                        {titles[part]}
                        {part === 'volumes' ? (
                          <span className="block text-warn text-xs">The data in them is lost for good.</span>
                        ) : null}
                      </span>
                      <span className="tabular whitespace-nowrap text-right text-soft">
                        {part === 'cache' ? '' : `${row?.unused ?? 0} unused`}
                        {part === 'networks' ? null : (
                          <span className="block text-faint text-xs">
                            {formatBytes(row?.reclaimableBytes ?? 0)} of {formatBytes(row?.bytes ?? 0)}
                          </span>
                        )}
                      </span>
                    </li>
                  );
                })}
              </ul>
            )
          }
        </QueryView>
      )}
      {error === null ? null : <Notice tone="bad">{error}</Notice>}
    </Dialog>
  );
}

function CleanProgress({ operation }: { operation: string }) {
  const { data } = useOperation(operation);
  const freed = data?.state === 'succeeded' ? data.steps[0]?.message : null;
  return (
    <div className="flex flex-col gap-3">
      <OperationProgress id={operation} />
      {freed === null || freed === undefined ? null : <Notice tone="ok" title={`${freed}.`} />}
    </div>
  );
}
