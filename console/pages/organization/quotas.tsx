import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { OrganizationQuotaForm } from '../../components/organization-quota-form.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { QuotaForm } from '../../components/quota-form.tsx';
import { QuotaBars } from '../../components/quota-summary.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

const route = getRouteApi('/shell/o/$organization');

type ProjectQuota = OutputOf<'organizationQuotaGet'>['projects'][number];

function ProjectQuotaForm({ quota, onClose }: { quota: ProjectQuota; onClose: () => void }) {
  return (
    <QuotaForm
      title={`Limits of ${quota.project.title}`}
      description="What this project may use, up to what the organization may use."
      limit={quota.limit}
      used={quota.used}
      onClose={onClose}
      save={async (body) => {
        await call('quotaUpdate', { params: { project: quota.project.id }, body });
        for (const name of ['quotaGet', 'organizationQuotaGet']) {
          await queryClient.invalidateQueries({ queryKey: [name] });
        }
      }}
    />
  );
}

/** What the organization and each of its projects use, and who may change the limits. */
export function OrganizationQuotasPage() {
  const { organizationId, session } = route.useRouteContext();
  const query = useQuery(apiQuery('organizationQuotaGet', { params: { organization: organizationId } }));
  const [editing, setEditing] = useState<'organization' | string | null>(null);
  const title = session.memberships.find((each) => each.organization.id === organizationId)?.organization.title ?? '';
  return (
    <>
      <PageHeader title="Quotas" />
      <QueryView query={query} rows={6}>
        {(data) => {
          const chosen = data.projects.find((each) => each.project.id === editing);
          return (
            <div className="flex flex-col gap-5">
              <Card
                title="All projects together"
                actions={
                  data.can.update === true ? (
                    <Button size="sm" onClick={() => setEditing('organization')}>
                      Set limits
                    </Button>
                  ) : (
                    <span className="text-faint text-xs">{data.can.update}</span>
                  )
                }
              >
                <div className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
                  <QuotaBars used={data.used} limit={data.limit} />
                </div>
              </Card>
              <p className="max-w-3xl text-sm text-soft">
                Both limits count: the project&apos;s and the organization&apos;s. Projects may together be allowed more
                than the organization; then who comes first is served first.
              </p>
              <div className="grid gap-5 lg:grid-cols-2">
                {data.projects.map((each) => (
                  <Card
                    key={each.project.id}
                    title={each.project.title}
                    actions={
                      each.can.update === true ? (
                        <Button
                          size="sm"
                          aria-label={`Set limits of ${each.project.title}`}
                          onClick={() => setEditing(each.project.id)}
                        >
                          Set limits
                        </Button>
                      ) : null
                    }
                  >
                    <div className="grid gap-x-8 gap-y-3.5 sm:grid-cols-2">
                      <QuotaBars used={each.used} limit={each.limit} />
                    </div>
                  </Card>
                ))}
              </div>
              {editing === 'organization' ? (
                <OrganizationQuotaForm organization={{ id: organizationId, title }} onClose={() => setEditing(null)} />
              ) : null}
              {chosen === undefined ? null : <ProjectQuotaForm quota={chosen} onClose={() => setEditing(null)} />}
            </div>
          );
        }}
      </QueryView>
    </>
  );
}
