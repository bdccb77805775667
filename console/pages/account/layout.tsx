import { Outlet } from '@tanstack/react-router';
import { TabNav } from '../../components/tab-nav.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

const tabs = [
  { to: '/account', label: 'Profile and password' },
  { to: '/account/security', label: 'Security' },
  { to: '/account/sessions', label: 'Sessions' },
  { to: '/account/ssh-keys', label: 'SSH keys' },
  { to: '/account/tokens', label: 'API tokens' },
  { to: '/account/appearance', label: 'Appearance' },
];

export function AccountLayout() {
  return (
    <>
      <PageHeader title="Account" />
      <TabNav label="Parts of the account" tabs={tabs} />
      <div className="max-w-3xl">
        <Outlet />
      </div>
    </>
  );
}
