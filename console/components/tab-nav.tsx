import { Link, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { cx } from '../ui/cx.ts';

/** The parts of one thing, as links in a line that scrolls sideways where it is too long. */
export function TabNav({
  label,
  tabs,
  className,
}: {
  label: string;
  tabs: readonly { to: string; label: string }[];
  className?: string;
}) {
  const nav = useRef<HTMLElement>(null);
  const path = useLocation({ select: ({ pathname }) => pathname });
  // On a phone the part in view may stand beyond the edge. Not scrollIntoView: that moves the page as well.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the current link is another one when the path changes
  useEffect(() => {
    const current = nav.current?.querySelector<HTMLElement>('[aria-current="page"]');
    if (nav.current === null || current === null || current === undefined) return;
    nav.current.scrollLeft = current.offsetLeft + current.offsetWidth / 2 - nav.current.clientWidth / 2;
  }, [path]);
  return (
    <nav
      ref={nav}
      aria-label={label}
      className={cx(
        'relative mb-5 overflow-x-auto shadow-[inset_0_-1px_0_var(--line)] [scrollbar-width:none]',
        className,
      )}
    >
      <ul className="flex gap-1">
        {tabs.map((tab) => (
          <li key={tab.to}>
            <Link
              to={tab.to}
              activeOptions={{ exact: true, includeSearch: false }}
              className="inline-flex h-9.5 items-center whitespace-nowrap border-transparent border-b-2 px-2.5 text-sm text-soft hover:text-text"
              activeProps={{ className: '!border-accent !text-text font-medium', 'aria-current': 'page' }}
            >
              {tab.label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
