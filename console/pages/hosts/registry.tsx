import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes, plural } from '../../lib/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/notice.tsx';
import { QuotaBar } from '../../ui/progress.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { RegistryForm } from './registry-form.tsx';

export type RegistryCache = OutputOf<'registryGet'>;
type Status = NonNullable<RegistryCache['status']>;

const POLL_MS = 10_000;
const IMAGES_SHOWN = 10;

export function registryChanged(): Promise<unknown> {
  return queryClient.invalidateQueries({ queryKey: ['registryGet'] });
}

const stateWords = {
  off: ['Off', 'idle'],
  starting: ['Starting', 'busy'],
  running: ['Running', 'ok'],
  failed: ['Failed', 'bad'],
} as const;

/** The image cache: what it holds, what it saves, what upstream still lets through. */
export function RegistryCard() {
  const query = useQuery({ ...apiQuery('registryGet', {}), refetchInterval: POLL_MS });
  return <QueryView query={query}>{(cache) => <Shown cache={cache} />}</QueryView>;
}

function Shown({ cache }: { cache: RegistryCache }) {
  const [editing, setEditing] = useState(false);
  const [asking, setAsking] = useState<'off' | 'empty' | null>(null);
  const { enabled, status } = cache;
  const [words, tone] =
    stateWords[enabled ? (status?.state === 'off' ? 'starting' : (status?.state ?? 'starting')) : 'off'];
  return (
    <Card
      flush
      title={
        <span className="flex items-center gap-2.5">
          Image cache
          <Badge tone={tone} dot>
            {words}
          </Badge>
        </span>
      }
      actions={
        <Button size="sm" tone={enabled ? 'secondary' : 'primary'} onClick={() => setEditing(true)}>
          {enabled ? 'Change' : 'Switch on'}
        </Button>
      }
    >
      {!enabled || status === null ? (
        <p className="px-4 py-3.5 text-sm text-soft">
          Servers get container images from the internet, each for itself. With the cache an image comes once for all of
          them, and counts once against the limit of Docker Hub.
        </p>
      ) : (
        <Figures cache={cache} status={status} />
      )}
      {enabled ? (
        <div className="flex flex-wrap gap-1 border-line border-t px-4 py-2.5">
          <Button size="sm" tone="ghost" onClick={() => setAsking('empty')}>
            Empty it…
          </Button>
          <Button size="sm" tone="ghost" onClick={() => setAsking('off')}>
            Switch off…
          </Button>
        </div>
      ) : null}
      {editing ? <RegistryForm cache={cache} onClose={() => setEditing(false)} /> : null}
      {asking === null ? null : <Ask what={asking} cache={cache} onClose={() => setAsking(null)} />}
    </Card>
  );
}

function Figures({ cache, status }: { cache: RegistryCache; status: Status }) {
  const { limit, mirrors } = status;
  return (
    <>
      {status.problem === null ? null : (
        <Notice tone={status.state === 'failed' ? 'bad' : 'warn'} className="m-4 mb-0" title="The cache reports">
          {status.problem}
        </Notice>
      )}
      {status.upstreamProblem === null ? null : (
        <Notice tone="warn" className="m-4 mb-0" title="Upstream">
          {status.upstreamProblem} What is cached is given out all the same.
        </Notice>
      )}
      {limit?.low === true ? (
        <Notice tone="warn" className="m-4 mb-0" title={`${plural(limit.remaining, 'pull')} left at upstream`}>
          Images that are not cached may not come for a while. An account at upstream has a larger limit.
        </Notice>
      ) : null}
      <div className="grid md:grid-cols-2">
        <div className="flex flex-col gap-4 border-line p-4 md:border-r">
          <QuotaBar label="Storage" used={status.usedBytes} limit={cache.bytesMax} format={formatBytes} />
          {limit === null ? null : (
            <QuotaBar
              label={`Upstream’s limit${limit.windowSeconds === null ? '' : `, in ${Math.round(limit.windowSeconds / 3600)} h`}`}
              used={limit.limit - limit.remaining}
              limit={limit.limit}
              hint="Upstream lets nothing more through for now."
            />
          )}
        </div>
        <Properties
          className="max-md:border-line max-md:border-t"
          items={[
            [
              'Hit rate',
              status.hitRate === null ? 'nothing was asked for yet' : `${Math.round(status.hitRate * 100)} %`,
            ],
            ['Saved', `${formatBytes(status.savedBytes)} of ${formatBytes(status.servedBytes)}`],
            [
              'Servers',
              `${mirrors.using} use it${mirrors.theirs === 0 ? '' : `, ${mirrors.theirs} arranged otherwise by their people`}`,
            ],
            [
              'Upstream',
              <span key="upstream" className="mono break-all">
                {cache.upstream}
              </span>,
            ],
            ['Signs in', cache.username ?? 'no'],
            ['Counts since', <TimeAgo key="since" at={status.since} />],
          ]}
        />
      </div>
      {status.images.length === 0 ? null : <Images images={status.images} />}
    </>
  );
}

function Images({ images }: { images: Status['images'] }) {
  const [all, setAll] = useState(false);
  const shown = all ? images : images.slice(0, IMAGES_SHOWN);
  return (
    <div className="overflow-x-auto border-line border-t">
      <table className="w-full text-left text-sm">
        <caption className="sr-only">Images in the cache</caption>
        <thead className="text-soft text-xs">
          <tr>
            <th className="px-4 py-2 font-medium">Image</th>
            <th className="px-4 py-2 text-right font-medium">Size</th>
            <th className="px-4 py-2 text-right font-medium">Last used</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, tag, bytes, lastUsedAt }) => (
            <tr key={`${name}:${tag}`} className="border-line border-t">
              <td className="mono break-all px-4 py-2 text-xs">{`${name}:${tag}`}</td>
              <td className="tabular whitespace-nowrap px-4 py-2 text-right">{formatBytes(bytes)}</td>
              <td className="whitespace-nowrap px-4 py-2 text-right text-soft">
                {lastUsedAt === null ? '–' : <TimeAgo at={lastUsedAt} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {images.length > IMAGES_SHOWN && !all ? (
        <div className="border-line border-t px-4 py-2.5">
          <Button size="sm" tone="ghost" onClick={() => setAll(true)}>
            Show all {images.length}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

const questions = {
  off: {
    title: 'Switch the image cache off?',
    body: 'Servers get images from upstream themselves, each for itself. What is cached stays on the disk.',
    label: 'Switch off',
  },
  empty: {
    title: 'Empty the image cache?',
    body: 'Every image in it is removed. Servers keep what they have; the next pull of each image goes to upstream again and counts against its limit.',
    label: 'Empty it',
  },
} as const;

function Ask({ what, cache, onClose }: { what: 'off' | 'empty'; cache: RegistryCache; onClose: () => void }) {
  const { title, body, label } = questions[what];
  async function confirm() {
    if (what === 'empty') await call('registryEmpty', {});
    else {
      const { upstream, username, caCertificate, bytesMax } = cache;
      await call('registryUpdate', { body: { enabled: false, upstream, username, caCertificate, bytesMax } });
    }
    await registryChanged();
    toast.success(what === 'empty' ? 'The cache is being emptied' : 'The cache is off');
  }
  return (
    <ConfirmDialog
      danger={what === 'empty'}
      onClose={onClose}
      onConfirm={confirm}
      title={title}
      body={body}
      confirmLabel={label}
    />
  );
}
