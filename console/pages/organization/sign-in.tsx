import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { toast } from 'sonner';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Switch } from '../../ui/switch.tsx';

const route = getRouteApi('/shell/o/$organization');

/** What the organization asks of its members when they sign in. */
export function OrganizationSignInPage() {
  const { organizationId } = route.useRouteContext();
  const params = { organization: organizationId };
  const query = useQuery(apiQuery('organizationSignInGet', { params }));
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  async function set(secondFactorRequired: boolean) {
    const rule = await call('organizationSignInUpdate', { params, body: { secondFactorRequired } });
    queryClient.setQueryData(apiQuery('organizationSignInGet', { params }).queryKey, rule);
    toast.success(secondFactorRequired ? 'A second factor is needed from now on' : 'A second factor is optional now');
  }
  async function makeOptional() {
    setBusy(true);
    await set(false).catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    setBusy(false);
  }
  return (
    <>
      <PageHeader title="Sign-in" />
      <div className="max-w-3xl">
        <Card title="Second factor">
          <QueryView query={query} rows={1}>
            {({ secondFactorRequired, membersWithout, can }) => (
              <div className="flex flex-col gap-4">
                <Switch
                  checked={secondFactorRequired}
                  disabled={can.update !== true || busy}
                  onChange={(on) => (on ? setAsking(true) : void makeOptional())}
                  label="Every member needs a second factor"
                  hint="Who has none is led to set one up, and enters after that. Tokens of theirs wait as well. Service accounts never sign in: it does not concern them."
                />
                {can.update === true ? null : (
                  <p className="text-sm text-soft">
                    {can.update}{' '}
                    {can.update.startsWith('Set up') ? (
                      <Link to="/account/security" className="text-accent underline underline-offset-2">
                        To your security page
                      </Link>
                    ) : null}
                  </p>
                )}
                {membersWithout === null || membersWithout === 0 ? null : (
                  <Notice tone="idle">
                    {membersWithout === 1 ? 'One member has' : `${membersWithout} members have`} no second factor yet.
                  </Notice>
                )}
                {asking ? (
                  <ConfirmDialog
                    onClose={() => setAsking(false)}
                    onConfirm={() => set(true)}
                    title="Ask every member for a second factor?"
                    body={
                      membersWithout === null || membersWithout === 0 ? (
                        'All members have one: nobody is stopped.'
                      ) : (
                        <>
                          <strong>
                            {membersWithout === 1 ? 'One member' : `${membersWithout} members`} cannot enter
                          </strong>{' '}
                          until they have set one up. Open screens and terminals of theirs are closed; what runs keeps
                          running.
                        </>
                      )
                    }
                    confirmLabel="Ask for it"
                  />
                ) : null}
              </div>
            )}
          </QueryView>
        </Card>
      </div>
    </>
  );
}
