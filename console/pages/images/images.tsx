import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Download, Hammer, Layers, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Image } from '#contract/images.ts';
import { call, newIdempotencyKey, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { exactBytes, formatBytes, plural } from '../../lib/format.ts';
import { kindTitle } from '../../lib/instance-view.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useSession } from '../../shell/session.ts';
import type { Tone } from '../../ui/badge.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { ImportForm } from './import-form.tsx';

const states: Record<Image['state'], [Tone, string]> = {
  absent: ['idle', 'Not built'],
  queued: ['busy', 'Queued'],
  building: ['busy', 'Building'],
  ready: ['ok', 'Ready'],
  failed: ['bad', 'Failed'],
};
const sources = { recipe: 'Recipe', file: 'Imported file', server: 'Image server' } as const;

function ImageCard({ image, admin, onDelete }: { image: Image; admin: boolean; onDelete: () => void }) {
  const [busy, setBusy] = useState(false);
  const [tone, word] = states[image.state];
  const moving = image.state === 'building' || image.state === 'queued';
  async function build() {
    setBusy(true);
    try {
      await call(
        'imagesBuild',
        { params: { image: image.id }, body: { force: image.state === 'ready' } },
        { idempotencyKey: newIdempotencyKey() },
      );
      await queryClient.invalidateQueries({ queryKey: ['imagesList'] });
    } catch (thrown) {
      const error = toApiError(thrown);
      toast.error(error.title, { description: error.message });
    } finally {
      setBusy(false);
    }
  }
  return (
    <li className="card flex flex-col gap-3 p-4">
      <div className="flex flex-wrap items-start gap-3">
        <div className="min-w-0 flex-1">
          <h2 className="flex flex-wrap items-center gap-2 text-base">
            {image.name}
            <Badge tone={tone} dot moving={moving}>
              {word}
            </Badge>
            {image.outdated ? <Badge tone="warn">Recipe changed since</Badge> : null}
          </h2>
          <p className="text-soft text-sm">{image.title}</p>
        </div>
        {admin ? (
          <div className="flex gap-2">
            {image.source === 'recipe' ? (
              <Button
                size="sm"
                icon={<Hammer />}
                busy={busy}
                blocked={whyNot(image.can.build)}
                onClick={() => void build()}
              >
                {image.state === 'ready' ? 'Build again' : 'Build'}
              </Button>
            ) : null}
            <Button size="sm" tone="ghost" icon={<Trash2 />} blocked={whyNot(image.can.delete)} onClick={onDelete}>
              Delete
            </Button>
          </div>
        ) : null}
      </div>
      {moving ? (
        <div>
          <p className="tabular mb-1.5 flex justify-between gap-3 text-soft text-xs">
            <span className="min-w-0 truncate">{image.operation?.message ?? 'Waiting for its turn'}</span>
            <span className="flex gap-3">
              {image.operation?.percent == null ? '' : `${Math.round(image.operation.percent)} %`}
              {image.operation === null ? null : (
                <Link
                  to="/operations/$operation"
                  params={{ operation: image.operation.id }}
                  className="text-accent hover:underline"
                >
                  Steps
                </Link>
              )}
            </span>
          </p>
          <ProgressBar label={`Build of ${image.name}`} percent={image.operation?.percent ?? null} />
        </div>
      ) : null}
      {image.error === null ? null : <Notice tone="bad">{image.error}</Notice>}
      <dl className="tabular flex flex-wrap gap-x-6 gap-y-1 text-xs [&_dd]:text-soft [&_div]:flex [&_div]:items-center [&_div]:gap-1.5 [&_dt]:text-faint">
        <div>
          <dt>For</dt>
          <dd>{kindTitle(image.kind).toLowerCase()}s</dd>
        </div>
        <div>
          <dt>From</dt>
          <dd>{sources[image.source]}</dd>
        </div>
        {image.sizeBytes === null ? null : (
          <div>
            <dt>Size</dt>
            <dd title={exactBytes(image.sizeBytes)}>{formatBytes(image.sizeBytes)}</dd>
          </div>
        )}
        {image.builtAt === null ? null : (
          <div>
            <dt>Built</dt>
            <dd>
              <TimeAgo at={image.builtAt} />
            </dd>
          </div>
        )}
        <div>
          <dt>Used by</dt>
          <dd>{plural(image.instances, 'instance')}</dd>
        </div>
        {image.fingerprint === null ? null : (
          <div>
            <dt>Fingerprint</dt>
            <dd>
              <Copyable text={image.fingerprint}>{image.fingerprint.slice(0, 12)}</Copyable>
            </dd>
          </div>
        )}
      </dl>
    </li>
  );
}

export function ImagesPage() {
  const { user } = useSession();
  const query = useQuery({
    ...apiQuery('imagesList', {}),
    refetchInterval: ({ state }) =>
      state.data?.items.some((each) => each.state === 'building' || each.state === 'queued') ? 3000 : false,
  });
  const [importing, setImporting] = useState(false);
  const [deleting, setDeleting] = useState<Image | null>(null);
  return (
    <>
      <PageHeader
        title="Images"
        description="What desktops and servers are made from. Built here from recipes; only what is on this list is ever started."
        actions={
          user.platformAdmin ? (
            <Button icon={<Download />} onClick={() => setImporting(true)}>
              Import an image
            </Button>
          ) : undefined
        }
      />
      <QueryView query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <div className="card">
              <EmptyState icon={<Layers />} title="No images">
                <code>berth images build</code> makes them from the recipes.
              </EmptyState>
            </div>
          ) : (
            <ul className="flex flex-col gap-3">
              {items.map((image) => (
                <ImageCard
                  key={image.id}
                  image={image}
                  admin={user.platformAdmin}
                  onDelete={() => setDeleting(image)}
                />
              ))}
            </ul>
          )
        }
      </QueryView>
      {importing ? <ImportForm onClose={() => setImporting(false)} /> : null}
      {deleting === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await call('imagesDelete', { params: { image: deleting.id } });
            await queryClient.invalidateQueries({ queryKey: ['imagesList'] });
          }}
          title={`Delete the image ${deleting.name}?`}
          body="Nothing new can be made from it. What was made from it before goes on."
          confirmLabel="Delete the image"
        />
      )}
    </>
  );
}
