import { Link, Outlet } from '@tanstack/react-router';
import { PageHeader } from '../../ui/page-header.tsx';

const tabs = [
  ['/account', 'Profile and password'],
  ['/account/security', 'Security'],
  ['/account/sessions', 'Sessions'],
  ['/account/ssh-keys', 'SSH keys'],
  ['/account/tokens', 'API tokens'],
  ['/account/appearance', 'Appearance'],
] as const;

export function AccountLayout() {
  return (
    <>
      <PageHeader title="Account" />
      <nav
        aria-label="Parts of the account"
        className="mb-5 overflow-x-auto shadow-[inset_0_-1px_0_var(--line)] [scrollbar-width:none]"
      >
        <ul className="flex gap-1">
          {tabs.map(([to, label]) => (
            <li key={to}>
              <Link
                to={to}
                activeOptions={{ exact: true, includeSearch: false }}
                className="inline-flex h-9.5 items-center whitespace-nowrap border-transparent border-b-2 px-2.5 text-sm text-soft hover:text-text"
                activeProps={{ className: '!border-accent !text-text font-medium', 'aria-current': 'page' }}
              >
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="max-w-3xl">
        <Outlet />
      </div>
    </>
  );
}
