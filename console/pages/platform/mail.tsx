import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { z } from 'zod';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { plural } from '../../lib/format.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { MailForm } from './mail-form.tsx';
import { MailList } from './mail-list.tsx';

export type MailSettings = OutputOf<'mailSettingsGet'>;

export function mailChanged(): Promise<unknown> {
  return Promise.all(
    ['mailSettingsGet', 'mailMessagesList'].map((name) => queryClient.invalidateQueries({ queryKey: [name] })),
  );
}

const securityWords = { tls: 'TLS', starttls: 'STARTTLS, always', plain: 'not encrypted' } as const;

/** The mail server of the installation, a test, and what became of the mails. */
export function MailPage() {
  const query = useQuery(apiQuery('mailSettingsGet', {}));
  return (
    <>
      <PageHeader
        title="Mail"
        description="Invitations, forgotten passwords and notices go out through a mail server of yours."
      />
      <QueryView query={query}>
        {(settings) => (
          <div className="flex flex-col gap-5">
            <Standing settings={settings} />
            <div className="grid items-start gap-5 lg:grid-cols-2">
              <Server settings={settings} />
              {settings.server === null ? null : <Test />}
            </div>
            <MailList />
          </div>
        )}
      </QueryView>
    </>
  );
}

function Standing({ settings: { server, counts } }: { settings: MailSettings }) {
  if (server === null) {
    return (
      <Notice tone="warn" title="There is no mail server yet">
        Links of invitations are shown to who invites. Other links wait below: you see them and hand them over another
        way.
      </Notice>
    );
  }
  if (counts.dead === 0) return null;
  return (
    <Notice tone="bad" title={`${plural(counts.dead, 'mail')} could not be sent`}>
      See below why. Try again once the reason is gone, or hand the link over another way.
    </Notice>
  );
}

function Server({ settings: { server } }: { settings: MailSettings }) {
  const [editing, setEditing] = useState(false);
  const [forgetting, setForgetting] = useState(false);
  const edit = (
    <Button size="sm" tone={server === null ? 'primary' : 'secondary'} onClick={() => setEditing(true)}>
      {server === null ? 'Set a mail server' : 'Change'}
    </Button>
  );
  return (
    <Card title="Mail server" actions={edit} flush>
      {server === null ? (
        <p className="px-4 py-3.5 text-sm text-soft">None. Any server that takes mail by SMTP will do.</p>
      ) : (
        <>
          <Properties
            items={[
              ['Server', <span key="host" className="mono">{`${server.host}:${server.port}`}</span>],
              ['Connection', securityWords[server.security]],
              ['Signs in', server.username ?? 'no'],
              ['Sender', `${server.fromName} <${server.fromAddress}>`],
              ['Authority', server.caCertificate === null ? undefined : 'your own certificate authority'],
            ]}
          />
          <div className="border-line border-t px-4 py-2.5">
            <Button size="sm" tone="ghost" onClick={() => setForgetting(true)}>
              Forget this server…
            </Button>
          </div>
        </>
      )}
      {editing ? <MailForm server={server} onClose={() => setEditing(false)} /> : null}
      {forgetting ? <Forget onClose={() => setForgetting(false)} /> : null}
    </Card>
  );
}

function Forget({ onClose }: { onClose: () => void }) {
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={() => call('mailSettingsDelete', {}).then(mailChanged)}
      title="Forget the mail server?"
      body="No mail goes out from then on. Links of invitations are shown to who invites; who forgets a password needs an administrator."
      confirmLabel="Forget it"
    />
  );
}

function Test() {
  const { user } = useSession();
  const [answer, setAnswer] = useState<string | null>(null);
  const form = useApiForm(z.object({ to: z.email('This is not an e-mail address.') }), { to: user.email });
  return (
    <Card title="Send a test mail">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ to }) => {
          setAnswer(null);
          const sent = await call('mailTest', { body: { to } }).catch((thrown: unknown) => {
            throw toApiError(thrown);
          });
          setAnswer(sent.answer);
        })}
      >
        <Field label="To" error={form.formState.errors.to?.message}>
          {(aria) => <Input {...aria} type="email" autoComplete="email" {...form.register('to')} />}
        </Field>
        <FormError error={form.failure} />
        {answer === null ? null : (
          <Notice tone="ok" title="The mail server has taken it">
            It said: <span className="mono break-all">{answer}</span>
          </Notice>
        )}
        <Button type="submit" className="w-fit" busy={form.formState.isSubmitting}>
          Send a test mail
        </Button>
      </form>
    </Card>
  );
}
