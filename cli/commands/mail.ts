/** mail: the mail server and the mails on their way. For administrators of the installation. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type MailSecurity, type MailState, mailSecurities, mailStates } from '#domain/mails.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { collect, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { examples } from './session.ts';

function describe(berth: Runtime, { server, counts }: OutputOf<'mailSettingsGet'>): string {
  return renderProperties(
    [
      ['Server', server === null ? 'none: links are shown instead of sent' : `${server.host}:${server.port}`],
      ['Encryption', server?.security ?? null],
      ['Signs in as', server?.username ?? null],
      ['Sender', server === null ? null : plain(`${server.fromName} <${server.fromAddress}>`)],
      ['Waiting', String(counts.queued)],
      ['Not sent', String(counts.dead)],
    ],
    berth.paint,
  );
}

type SetOptions = {
  host: string;
  port?: string;
  security: MailSecurity;
  user?: string;
  passwordStdin?: boolean;
  ca?: string;
  from: string;
  name: string;
};
const ports: Record<MailSecurity, number> = { starttls: 587, tls: 465, plain: 25 };

function addServer(mail: Command, io: Io): void {
  mail
    .command('show')
    .description('Show the mail server, and how much is waiting')
    .action(
      run(io, async (berth) => {
        const settings = await (await berth.client()).call('mailSettingsGet', {});
        berth.print(settings, () => describe(berth, settings));
      }),
    );
  mail
    .command('set')
    .description('Set the mail server; mail that waits goes out at once')
    .requiredOption('--host <name>', 'name or address of the mail server')
    .option('--port <n>', '587 with STARTTLS, 465 with TLS, 25 without encryption')
    .addOption(
      new Option('--security <how>', 'encryption; starttls is a must, never a wish')
        .choices([...mailSecurities])
        .default('starttls'),
    )
    .option('--user <name>', 'signs in as')
    .option('--password-stdin', 'read the password from stdin; absent: it stays as it is')
    .option('--ca <file>', 'PEM of a certificate authority of your own')
    .requiredOption('--from <address>', 'address of the sender')
    .option('--name <name>', 'name of the sender', 'Berth')
    .addHelpText(
      'after',
      examples(['berth mail set --host mail.example.com --user berth --password-stdin --from berth@example.com']),
    )
    .action(
      run<SetOptions>(io, async (berth, _args, options) => {
        const port = options.port === undefined ? ports[options.security] : Number(options.port);
        if (!Number.isInteger(port)) throw usageError('--port takes a number.');
        const ca = options.ca;
        const caCertificate =
          ca === undefined
            ? null
            : await readFile(ca, 'utf8').catch(() => {
                throw usageError(`"${ca}" cannot be read.`);
              });
        const password = options.passwordStdin === true ? { password: await berth.readStdin() } : {};
        const settings = await (await berth.client()).call('mailSettingsUpdate', {
          body: {
            host: options.host,
            port,
            security: options.security,
            username: options.user ?? null,
            ...password,
            caCertificate,
            fromAddress: options.from,
            fromName: options.name,
          },
        });
        berth.print(settings, () => describe(berth, settings));
      }),
    );
  mail
    .command('forget')
    .description('Forget the mail server; links are shown to administrators instead')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, _args, options) => {
        await berth.confirm('Send no mail any more?', options.yes);
        await (await berth.client()).call('mailSettingsDelete', {});
        berth.print({ server: null }, () => 'The mail server is forgotten.\n');
      }),
    );
  mail
    .command('test [address]')
    .description('Send a test mail at once, to you or to an address')
    .action(
      run(io, async (berth, [address]) => {
        const to = address ?? (await berth.whoami()).user.email;
        const answer = await (await berth.client()).call('mailTest', { body: { to } });
        berth.print(answer, () => `The mail server has taken it: ${plain(answer.answer)}\n`);
      }),
    );
}

function addMessages(mail: Command, io: Io): void {
  mail
    .command('list')
    .alias('ls')
    .description('List mails of the last 30 days, newest first; never what is in them')
    .addOption(new Option('--state <state>', 'only these').choices([...mailStates]))
    .action(
      run<{ state?: MailState }>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('mailMessagesList', {
            query: { ...query, ...(options.state === undefined ? {} : { state: options.state }) },
          }),
        );
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'To', value: (row) => row.recipient },
              { title: 'What', value: (row) => row.kind },
              { title: 'State', value: (row) => row.state },
              { title: 'Attempts', value: (row) => String(row.attempts), align: 'right' },
              { title: 'Written', value: (row) => formatRelative(row.createdAt, berth.io.now()) },
              { title: 'Why not', value: (row) => row.error ?? '-' },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No mails.' },
          ),
        );
      }),
    );
  mail
    .command('retry <mail>')
    .description('Try a mail again now, with all its attempts')
    .action(
      run(io, async (berth, [message = '']) => {
        await (await berth.client()).call('mailMessagesRetry', { params: { message } });
        berth.print({ retried: message }, () => 'It is tried again.\n');
      }),
    );
  mail
    .command('drop <mail>')
    .description('Give up a mail that waits or could not be sent')
    .action(
      run(io, async (berth, [message = '']) => {
        await (await berth.client()).call('mailMessagesDrop', { params: { message } });
        berth.print({ dropped: message }, () => 'It is not sent.\n');
      }),
    );
  mail
    .command('link <mail>')
    .description('Print the link of a mail that is not sent, to hand it over another way; audited')
    .action(
      run(io, async (berth, [message = '']) => {
        const answer = await (await berth.client()).call('mailMessagesLink', { params: { message } });
        berth.print(answer, () => `${answer.link}\n`);
      }),
    );
}

export function addMailCommands(program: Command, io: Io): void {
  const mail = program.command('mail').description('Outgoing mail (administrators of the installation)');
  addServer(mail, io);
  addMessages(mail, io);
}
