import { Link } from '@tanstack/react-router';
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
  return (
    <nav
      aria-label={label}
      className={cx('mb-5 overflow-x-auto shadow-[inset_0_-1px_0_var(--line)] [scrollbar-width:none]', className)}
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
