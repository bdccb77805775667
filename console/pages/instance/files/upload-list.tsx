import { RotateCcw, X } from 'lucide-react';
import { formatBytes } from '../../../lib/format.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { ProgressBar } from '../../../ui/progress.tsx';
import type { Upload } from './use-uploads.ts';

const words: Record<Upload['state'], string> = {
  waiting: 'Waits for its turn',
  sending: 'Is being sent',
  there: 'A file of this name is there already.',
  done: 'Is there',
  failed: 'Failed',
  stopped: 'Stopped; nothing was put in its place',
};

export function UploadList({
  uploads,
  onAgain,
  onStop,
  onClear,
}: {
  uploads: readonly Upload[];
  onAgain: (key: string, replace: boolean) => void;
  onStop: (key: string) => void;
  onClear: () => void;
}) {
  if (uploads.length === 0) return null;
  const moving = uploads.some((each) => each.state === 'waiting' || each.state === 'sending');
  return (
    <section aria-label="Uploads" className="mb-4 rounded-lg border border-line bg-surface p-3">
      <div className="mb-2 flex items-center justify-between gap-3">
        <h2 className="text-sm">{moving ? 'Uploading' : 'Uploads'}</h2>
        <Button size="sm" onClick={onClear}>
          {moving ? 'Hide what is done' : 'Close'}
        </Button>
      </div>
      <ul className="flex flex-col gap-2.5">
        {uploads.map((upload) => {
          const percent = upload.bytes === 0 ? (upload.state === 'done' ? 100 : 0) : (upload.sent / upload.bytes) * 100;
          const bad = upload.state === 'failed' || upload.state === 'there';
          return (
            <li key={upload.key} className="flex items-center gap-3 text-sm">
              <div className="min-w-0 flex-1">
                <p className="flex justify-between gap-3">
                  <span className="truncate">{upload.name}</span>
                  <span className="tabular shrink-0 text-faint text-xs">
                    {formatBytes(upload.sent)} of {formatBytes(upload.bytes)}
                  </span>
                </p>
                <ProgressBar
                  percent={percent}
                  label={`Upload of ${upload.name}`}
                  tone={bad ? 'bad' : upload.state === 'done' ? 'ok' : 'accent'}
                  className="my-1"
                />
                <p className={bad ? 'text-bad text-xs' : 'text-faint text-xs'} aria-live="polite">
                  {upload.state === 'failed' && upload.error !== null ? upload.error : words[upload.state]}
                </p>
              </div>
              {upload.state === 'there' ? (
                <Button size="sm" onClick={() => onAgain(upload.key, true)}>
                  Replace it
                </Button>
              ) : null}
              {upload.state === 'failed' || upload.state === 'stopped' ? (
                <IconButton label={`Send ${upload.name} again`} size="sm" onClick={() => onAgain(upload.key, false)}>
                  <RotateCcw />
                </IconButton>
              ) : null}
              {upload.state === 'waiting' || upload.state === 'sending' ? (
                <IconButton label={`Stop ${upload.name}`} size="sm" onClick={() => onStop(upload.key)}>
                  <X />
                </IconButton>
              ) : null}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
