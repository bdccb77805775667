import { cx } from './cx.ts';

export function Spinner({ className }: { className?: string }) {
  return (
    <svg className={cx('animate-spin', className ?? 'size-4')} viewBox="0 0 16 16" fill="none" aria-hidden="true">
      <circle cx="8" cy="8" r="6.5" stroke="currentColor" strokeOpacity="0.22" strokeWidth="2" />
      <path d="M14.500 8A6.500 6.500 0 0 0 8 1.500" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
