import { useQuery } from '@tanstack/react-query';
import { MailCheck } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { whyNot } from '../../lib/why-not.ts';
import { actionsColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import type { Tone } from '../../ui/badge.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { ConfirmDialog, Dialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { mailChanged } from './mail.tsx';

type Mail = OutputOf<'mailMessagesList'>['items'][number];

const kinds: Record<Mail['kind'], string> = {
  invitation: 'Invitation',
  registration: 'Registration',
  'registration-known': 'Registration, account exists',
  'password-reset': 'Forgotten password',
  'password-changed': 'Password changed',
  'email-old': 'Change of address, old one',
  'email-new': 'Change of address, new one',
  'email-changed': 'Address changed',
  'account-deleted': 'Account deleted',
  test: 'Test',
};
const states: Record<Mail['state'], readonly [Tone, string]> = {
  queued: ['busy', 'waiting'],
  sent: ['ok', 'sent'],
  dead: ['bad', 'not sent'],
  expired: ['idle', 'too old'],
};

/** What went out, what waits, what could not be sent. Never what is in it. */
export function MailList() {
  const [shown, setShown] = useState<'all' | 'queued' | 'dead'>('all');
  const query = useQuery(
    apiQuery('mailMessagesList', { query: { limit: 100, ...(shown === 'all' ? {} : { state: shown }) } }),
  );
  const [link, setLink] = useState<{ mail: Mail; link: string } | null>(null);
  const [dropping, setDropping] = useState<Mail | null>(null);
  async function act(work: () => Promise<void>) {
    await work().catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    await mailChanged();
  }
  const params = (mail: Mail) => ({ params: { message: mail.id } });
  return (
    <section aria-labelledby="mails" className="flex flex-col gap-2.5">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id="mails" className="text-sm">
          Mails of the last 30 days
        </h2>
        <Segmented
          label="Which mails"
          value={shown}
          onChange={setShown}
          options={[
            { value: 'all', label: 'All' },
            { value: 'queued', label: 'Waiting' },
            { value: 'dead', label: 'Not sent' },
          ]}
        />
      </div>
      <QueryView query={query}>
        {({ items }) => (
          <DataTable<Mail>
            label="Mails"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => `${kinds[row.kind]} to ${row.recipient}`}
            empty={<EmptyState icon={<MailCheck />} title={shown === 'all' ? 'No mail yet' : 'None of these'} />}
            columns={[
              {
                id: 'to',
                header: 'To',
                cell: (row) => (
                  <div className="min-w-0">
                    <p className="break-all font-medium">{row.recipient}</p>
                    <p className="text-faint text-xs">{kinds[row.kind]}</p>
                  </div>
                ),
              },
              {
                id: 'state',
                header: 'State',
                cell: (row) => (
                  <div className="min-w-0">
                    <Badge tone={states[row.state][0]}>{states[row.state][1]}</Badge>
                    {row.error === null ? null : (
                      <p className="mt-1 max-w-md break-words text-soft text-xs">
                        {row.error}
                        {row.nextAt === null ? null : (
                          <>
                            {' '}
                            Again <TimeAgo at={row.nextAt} />.
                          </>
                        )}
                      </p>
                    )}
                  </div>
                ),
              },
              timeColumn('at', 'Written', (row) => row.createdAt, { from: 'sm' }),
              actionsColumn(
                (row) =>
                  row.can.drop !== true ? null : (
                    <ActionsMenu
                      of={`the mail to ${row.recipient}`}
                      entries={[
                        {
                          key: 'retry',
                          label: 'Try again now',
                          blocked: whyNot(row.can.retry),
                          onSelect: () => void act(() => call('mailMessagesRetry', params(row))),
                        },
                        {
                          key: 'link',
                          label: 'Show the link',
                          blocked: whyNot(row.can.showLink),
                          onSelect: () =>
                            void act(async () =>
                              setLink({ mail: row, ...(await call('mailMessagesLink', params(row))) }),
                            ),
                        },
                        { key: 'drop', label: 'Give it up…', danger: true, onSelect: () => setDropping(row) },
                      ]}
                    />
                  ),
                { narrow: true },
              ),
            ]}
          />
        )}
      </QueryView>
      {link === null ? null : (
        <Dialog
          open
          onClose={() => setLink(null)}
          title={`Link for ${link.mail.recipient}`}
          footer={
            <Button tone="primary" onClick={() => setLink(null)}>
              Done
            </Button>
          }
        >
          <div className="flex flex-col gap-4">
            <Notice tone="warn" title="Whoever has this link acts as this person">
              Hand it to nobody else. That you have seen it stands in the audit log.
            </Notice>
            <CodeBlock code={link.link} label="link" />
          </div>
        </Dialog>
      )}
      {dropping === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setDropping(null)}
          onConfirm={() => call('mailMessagesDrop', params(dropping)).finally(mailChanged)}
          title="Give this mail up?"
          body={`It is not sent to ${dropping.recipient}, and its link can no longer be shown.`}
          confirmLabel="Give it up"
        />
      )}
    </section>
  );
}
