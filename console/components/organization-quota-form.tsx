import { useQuery } from '@tanstack/react-query';
import { call } from '../api/client.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { QuotaForm } from './quota-form.tsx';

/** Limits of an organization, for administrators of the installation: members or not. */
export function OrganizationQuotaForm({
  organization,
  onClose,
}: {
  organization: { id: string; title: string };
  onClose: () => void;
}) {
  const params = { organization: organization.id };
  const { data } = useQuery(apiQuery('platformQuotaGet', { params }));
  if (data === undefined) return null;
  return (
    <QuotaForm
      title={`Limits of ${organization.title}`}
      description="What all its projects may use together."
      limit={data.limit}
      used={data.used}
      onClose={onClose}
      save={async (body) => {
        await call('platformQuotaUpdate', { params, body });
        for (const name of ['platformQuotaGet', 'organizationQuotaGet']) {
          await queryClient.invalidateQueries({ queryKey: [name] });
        }
      }}
    />
  );
}
