import { Monitor, Server } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { Instance } from '#contract/instances.ts';
import { cx } from '../ui/cx.ts';

/** A desktop's picture is fetched again this often while it can be seen (milliseconds). */
const REFRESH_MS = 20_000;

/** Small live picture of a running desktop; an icon for everything else. */
export function Thumbnail({
  instance,
  className = 'h-9 w-14',
}: {
  instance: Pick<Instance, 'id' | 'kind' | 'phase'> & { observed: string; can: Pick<Instance['can'], 'screen'> };
  className?: string;
}) {
  const holder = useRef<HTMLSpanElement>(null);
  const [tick, setTick] = useState(0);
  const [seen, setSeen] = useState(false);
  const [shown, setShown] = useState(false);
  const wanted =
    instance.kind === 'desktop' &&
    instance.observed === 'running' &&
    instance.phase === 'ready' &&
    instance.can.screen === true;
  useEffect(() => {
    const element = holder.current;
    if (!wanted || element === null) return;
    const observer = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting === true));
    observer.observe(element);
    return () => observer.disconnect();
  }, [wanted]);
  useEffect(() => {
    if (!wanted || !seen) return;
    const timer = setInterval(() => {
      if (!document.hidden) setTick((before) => before + 1);
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [wanted, seen]);
  useEffect(() => {
    if (!wanted) setShown(false);
  }, [wanted]);
  const Icon = instance.kind === 'desktop' ? Monitor : Server;
  return (
    <span
      ref={holder}
      className={cx(
        'relative inline-flex shrink-0 items-center justify-center overflow-hidden rounded-sm border border-line bg-sunken text-faint',
        className,
      )}
    >
      <Icon className="size-4" aria-hidden="true" />
      {wanted && seen ? (
        <img
          src={`/edge/v1/instances/${instance.id}/thumbnail?t=${tick}`}
          alt=""
          decoding="async"
          onLoad={() => setShown(true)}
          onError={() => setShown(false)}
          className={cx('absolute inset-0 size-full object-cover', !shown && 'invisible')}
        />
      ) : null}
    </span>
  );
}
