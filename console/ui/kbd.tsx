import type { ReactNode } from 'react';
import { cx } from './cx.ts';

export const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);
/** 'mod+k' -> '⌘K' or 'Ctrl K'. */
export function shortcutText(shortcut: string): string {
  return shortcut
    .replace('mod+', isMac ? '⌘' : 'Ctrl ')
    .split(' ')
    .map((key) => (key.length === 1 ? key.toUpperCase() : key))
    .join(' ');
}

export function Kbd({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <kbd
      className={cx(
        'inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-sm border border-line-strong bg-sunken px-1 text-[0.6875rem] leading-none text-faint',
        className,
      )}
    >
      {children}
    </kbd>
  );
}
