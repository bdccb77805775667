import { cx } from '../ui/cx.ts';

/** Somebody's picture, or the first letters of their name. Decoration: the name stands beside it or is read out there. */
export function Avatar({ name, src, className }: { name: string; src: string | null; className?: string }) {
  const shape = cx('size-8 shrink-0 rounded-full', className);
  if (src !== null) return <img src={src} alt="" className={cx(shape, 'object-cover')} />;
  const initials = name
    .split(/\s+/)
    .map((part) => part.charAt(0))
    .slice(0, 2)
    .join('')
    .toUpperCase();
  return (
    <span
      aria-hidden="true"
      className={cx(
        shape,
        'flex items-center justify-center bg-accent-soft font-semibold text-[0.6875rem] text-accent',
      )}
    >
      {initials}
    </span>
  );
}
