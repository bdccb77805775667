/** Starts and kills testkit/smtp-process.ts, and reads the mails that it took. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import PostalMime, { type Email } from 'postal-mime';
import type { SmtpProcessOptions, TakenMail } from './smtp-process.ts';
import { until } from './work.ts';

const program = fileURLToPath(new URL('./smtp-process.ts', import.meta.url));

export type Delivered = Omit<TakenMail, 'raw'> & { raw: string; mail: Email };

/** An authority of its own with a certificate for 127.0.0.1; both PEM. */
export function makeCertificate(): { key: string; certificate: string } {
  const folder = mkdtempSync(join(tmpdir(), 'berth-smtp-ca-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate].concat([
      '-subj',
      '/CN=mail.example.test',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    ]),
    { stdio: 'ignore' },
  );
  const made = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
  rmSync(folder, { recursive: true });
  return made;
}

/** One mail server; it may die and come back on the same port with the same mails. */
export class TestSmtp {
  readonly #folder = mkdtempSync(join(tmpdir(), 'berth-smtp-'));
  readonly #options: Omit<SmtpProcessOptions, 'folder' | 'port'>;
  #child: ChildProcess | null = null;
  port = 0;

  constructor(options: Partial<Omit<SmtpProcessOptions, 'folder' | 'port'>> = {}) {
    this.#options = { security: 'bare', login: null, key: null, certificate: null, ...options };
  }

  async start(changes: { slowMs?: number } = {}): Promise<void> {
    const options: SmtpProcessOptions = { ...this.#options, ...changes, folder: this.#folder, port: this.port };
    const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    this.port = (JSON.parse(line) as { port: number }).port;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Everything it took, oldest first; only what went to `to`, when given. */
  async taken(to?: string): Promise<Delivered[]> {
    const files = readdirSync(this.#folder)
      .filter((file) => file.endsWith('.json'))
      .sort();
    const all = await Promise.all(
      files.map(async (file): Promise<Delivered> => {
        const taken = JSON.parse(readFileSync(join(this.#folder, file), 'utf8')) as TakenMail;
        const raw = Buffer.from(taken.raw, 'base64');
        return { ...taken, raw: raw.toString('latin1'), mail: await PostalMime.parse(raw) };
      }),
    );
    return to === undefined ? all : all.filter((each) => each.to.includes(to));
  }

  /** Waits for the `count`-th mail to `to` and answers it. */
  async awaitMail(to: string, count = 1): Promise<Delivered> {
    await until(async () => (await this.taken(to)).length >= count, 20_000);
    const found = (await this.taken(to))[count - 1];
    if (found === undefined) throw new Error('the mail is gone');
    return found;
  }
}

/** The secret at the end of the one link in a mail. */
export function secretIn(delivered: Delivered): string {
  const found = /https:\/\/\S+\/([A-Za-z0-9_-]{43})(?=\s|$)/.exec(delivered.mail.text ?? '');
  if (found?.[1] === undefined) throw new Error(`no link in: ${delivered.mail.text}`);
  return found[1];
}
