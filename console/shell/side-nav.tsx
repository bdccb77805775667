import { Link } from '@tanstack/react-router';
import { cx } from '../ui/cx.ts';
import type { NavGroup } from './nav.ts';

export function SideNav({ groups, onNavigate }: { groups: NavGroup[]; onNavigate?: () => void }) {
  return (
    <nav aria-label="Main" className="flex flex-col gap-5 px-3 py-4">
      {groups.map((group) => (
        <div key={group.label}>
          <h2 className="mb-1 truncate px-2 font-medium text-faint text-xs tracking-normal">{group.label}</h2>
          <ul className="flex flex-col gap-px">
            {group.entries.map((entry) => (
              <li key={entry.key}>
                <Link
                  to={entry.href}
                  onClick={onNavigate}
                  activeOptions={{ exact: entry.exact ?? false, includeSearch: false }}
                  className={cx(
                    'group flex h-8 items-center gap-2.5 rounded-md px-2 text-sm text-soft transition-colors duration-75 hover:bg-hover hover:text-text max-lg:h-10',
                  )}
                  activeProps={{ className: '!bg-accent-soft !text-accent font-medium', 'aria-current': 'page' }}
                >
                  <entry.icon className="size-4 shrink-0" aria-hidden="true" />
                  <span className="truncate">{entry.label}</span>
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
