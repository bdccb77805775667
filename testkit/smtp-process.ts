/**
 * A real mail server as a process of its own, for tests that kill it. `node testkit/smtp-process.ts <options as JSON>`.
 * What it takes lies in a folder, one file per mail, written before it answers. Recipients decide what happens:
 * `refused@...` does not exist, `later@...` is asked to come again.
 */
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';

export type SmtpProcessOptions = {
  folder: string;
  port: number;
  /** `bare` offers no encryption at all; `plain` and `starttls` offer STARTTLS. */
  security: 'bare' | 'starttls' | 'tls';
  login: { username: string; password: string } | null;
  /** PEM. */
  key: string | null;
  certificate: string | null;
  /** Waits this long before it takes a mail. */
  slowMs?: number;
};

export type TakenMail = { from: string; to: string[]; secure: boolean; user: string | null; raw: string };

function error(code: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode: code });
}

function serve(options: SmtpProcessOptions): void {
  const { login } = options;
  const server = new SMTPServer({
    secure: options.security === 'tls',
    disabledCommands: [...(options.security === 'bare' ? ['STARTTLS'] : []), ...(login === null ? ['AUTH'] : [])],
    ...(options.key === null || options.certificate === null ? {} : { key: options.key, cert: options.certificate }),
    authOptional: login === null,
    authMethods: ['PLAIN', 'LOGIN'],
    disableReverseLookup: true,
    logger: false,
    onAuth(auth, _session, done) {
      if (login !== null && auth.username === login.username && auth.password === login.password) {
        done(null, { user: login.username });
      } else {
        done(error(535, 'Authentication failed'));
      }
    },
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('refused')) done(error(550, `No such user <${address}>`));
      else if (address.startsWith('later')) done(error(451, 'Greylisted, come again'));
      else done();
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        setTimeout(() => {
          const mail: TakenMail = {
            from: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
            to: session.envelope.rcptTo.map((each) => each.address),
            secure: session.secure,
            user: session.user ?? null,
            raw: Buffer.concat(chunks).toString('base64'),
          };
          const file = join(options.folder, `${Date.now()}-${randomBytes(4).toString('hex')}`);
          writeFileSync(`${file}.part`, JSON.stringify(mail));
          renameSync(`${file}.part`, `${file}.json`);
          done();
        }, options.slowMs ?? 0);
      });
    },
  });
  server.on('error', () => {});
  const listening = server.listen(options.port, '127.0.0.1', () => {
    const address = listening.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.stdout.write(`${JSON.stringify({ port })}\n`);
  });
}

serve(JSON.parse(process.argv[2] ?? '{}') as SmtpProcessOptions);
