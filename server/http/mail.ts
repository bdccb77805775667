/** Endpoints of the mail server and of the mails on their way. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  forgetMailServer,
  giveUpMail,
  listMailMessages,
  type MailSettings,
  type PresentedMail,
  readMailSettings,
  retryMail,
  sendTestMail,
  showMailLink,
  updateMailSettings,
} from '#server/app/mail.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentSettings({ server, counts }: MailSettings) {
  if (server === null) return { server, counts };
  const { passwordSealed, ...rest } = server;
  return { server: { ...rest, hasPassword: passwordSealed !== null }, counts };
}

function presentMail(mail: PresentedMail) {
  return {
    id: mail.id,
    kind: mail.kind,
    recipient: mail.recipient,
    subject: mail.subject,
    state: mail.state,
    attempts: mail.attempts,
    nextAt: mail.state === 'queued' ? iso(mail.nextAt) : null,
    error: mail.error,
    createdAt: iso(mail.createdAt),
    expiresAt: iso(mail.expiresAt),
    endedAt: isoOrNull(mail.endedAt),
    can: mail.can,
  };
}

export function registerMail(http: Http, app: AppContext): void {
  http.register(api.mailSettingsGet, async ({ caller }) => presentSettings(await readMailSettings(app, caller)));
  http.register(api.mailSettingsUpdate, async ({ caller, body }) =>
    presentSettings(await updateMailSettings(app, caller, body)),
  );
  http.register(api.mailSettingsDelete, async ({ caller }) => {
    await forgetMailServer(app, caller);
    return undefined;
  });
  http.register(api.mailTest, ({ caller, body }) => sendTestMail(app, caller, body.to));
  http.register(api.mailMessagesList, async ({ caller, query }) => {
    const { items, nextCursor } = await listMailMessages(app, caller, query);
    return { items: items.map(presentMail), nextCursor };
  });
  http.register(api.mailMessagesRetry, async ({ caller, params }) => {
    await retryMail(app, caller, params.message);
    return undefined;
  });
  http.register(api.mailMessagesDrop, async ({ caller, params }) => {
    await giveUpMail(app, caller, params.message);
    return undefined;
  });
  http.register(api.mailMessagesLink, ({ caller, params }) => showMailLink(app, caller, params.message));
}
