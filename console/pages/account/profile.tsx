import { useQuery } from '@tanstack/react-query';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { DeletionCard } from './deletion.tsx';
import { EmailCard } from './email.tsx';
import { PasswordCard } from './password.tsx';
import { PreferencesCard } from './preferences.tsx';

export function ProfileTab() {
  const query = useQuery(apiQuery('accountGet', {}));
  return (
    <QueryView query={query}>
      {(account) => (
        <div className="flex flex-col gap-5">
          <PreferencesCard account={account} />
          <EmailCard account={account} />
          <PasswordCard email={account.user.email} />
          <DeletionCard />
        </div>
      )}
    </QueryView>
  );
}
