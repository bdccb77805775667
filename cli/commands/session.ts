/** login, logout, whoami, context: which installation the program talks to, and as whom. */
import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { BerthClient, OutputOf, RawAnswer } from '../client.ts';
import { CONTEXT_NAME_DEFAULT, type Context, DATA_DIR_DEFAULT, findHostInstallation, forgetTokens } from '../config.ts';
import { CliError, usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { askCode } from '../second-step.ts';
import { revokeSignIn, signInWithCode, type Tokens } from '../sign-in.ts';
import { renderProperties, renderTable } from '../table.ts';

/** Days a token made by `berth login` lives. */
export const LOGIN_TOKEN_DAYS = 90;

type LoginOptions = {
  url?: string;
  ca?: string;
  email?: string;
  passwordStdin?: boolean;
  code?: string;
  tokenStdin?: boolean;
  dataDir?: string;
  expiresInDays?: string;
  scope?: string[];
  browser?: boolean;
};

type Target = { url: string; ca: string | undefined };

/** Where to sign in: said on the command line, known from before, or the installation of this machine. */
async function loginTarget(berth: Runtime, options: LoginOptions): Promise<Target> {
  const stored = (await berth.config()).contexts[contextName(berth, await berth.config())];
  const url = options.url ?? berth.io.env['BERTH_URL'];
  const ca = options.ca ?? berth.io.env['BERTH_CA'];
  const here = await findHostInstallation(options.dataDir ?? berth.io.env['BERTH_DATA_DIR'] ?? DATA_DIR_DEFAULT);
  if (url !== undefined && url !== '') {
    const full = /^https?:\/\//.test(url) ? url : `https://${url}`;
    if (!URL.canParse(full))
      throw usageError(`"${url}" is not an address.`, 'Write it like https://berth.localhost:9443');
    const origin = new URL(full).origin;
    const known = origin === stored?.url ? stored.ca : origin === here?.url ? await existing(here.ca) : undefined;
    return { url: origin, ca: ca === undefined ? known : resolve(ca) };
  }
  if (here !== null) return { url: here.url, ca: ca === undefined ? await existing(here.ca) : resolve(ca) };
  if (stored !== undefined) return { url: stored.url, ca: ca === undefined ? stored.ca : resolve(ca) };
  throw usageError(
    'Which installation? There is none on this machine that you may read.',
    'Name it: berth login --url https://HOST:9443 --ca ca.crt',
  );
}

async function existing(path: string): Promise<string | undefined> {
  return access(path).then(
    () => path,
    () => undefined,
  );
}

function contextName(berth: Runtime, file: { current: string }): string {
  return berth.options.context ?? berth.io.env['BERTH_CONTEXT'] ?? file.current ?? CONTEXT_NAME_DEFAULT;
}

/** The cookies of an answer as a Cookie header. */
function cookiesOf(answer: RawAnswer): string {
  const header = answer.headers['set-cookie'];
  const lines = header === undefined ? [] : Array.isArray(header) ? header : [header];
  return lines.map((line) => line.split(';', 1)[0] ?? '').join('; ');
}

/** Exchanges a password, and a second factor where there is one, for an API token; the short session ends again. */
async function tokenByPassword(
  berth: Runtime,
  client: BerthClient,
  credentials: { email: string; password: string; code: string | undefined },
  days: number,
): Promise<OutputOf<'tokensCreate'>> {
  const origin = { origin: client.url };
  const { email, password, code } = credentials;
  let signedIn = await client.raw('POST', '/api/v1/session', { email, password }, { headers: origin });
  const step = JSON.parse(signedIn.text) as OutputOf<'signIn'>;
  if (step.next === 'factor') {
    const answer = await askCode(berth, step.factors, code);
    const cookie = cookiesOf(signedIn);
    signedIn = await client.raw('POST', '/api/v1/session/factor', answer, { headers: { ...origin, cookie } });
  }
  const headers = { ...origin, cookie: cookiesOf(signedIn) };
  const token = await client.call(
    'tokensCreate',
    { body: { name: `berth on ${hostname()}`.slice(0, 80), expiresInDays: days } },
    { headers },
  );
  await client.call('signOut', {}, { headers });
  return token;
}

async function withPassword(
  berth: Runtime,
  target: Target,
  options: LoginOptions,
  days: number,
): Promise<{ token: string; tokenId: string }> {
  if (options.email === undefined || options.email === '')
    throw usageError('Who are you?', 'Add --email NAME@EXAMPLE.');
  const password = options.passwordStdin === true ? await berth.readStdin() : await berth.askSecret('Password: ');
  const client = berth.makeClient(target);
  try {
    const token = await tokenByPassword(berth, client, { email: options.email, password, code: options.code }, days);
    return { token: token.secret, tokenId: token.id };
  } catch (error) {
    if (error instanceof CliError && error.code === 'unauthenticated' && error.requestId !== null) {
      throw new CliError('notSignedIn', error.message, {
        code: 'unauthenticated',
        requestId: error.requestId,
        hint: 'Check e-mail, password and code. A new installation first needs its owner: open the address that ./berth up printed.',
      });
    }
    throw error;
  } finally {
    await client.close();
  }
}

/** Opens the page where there is a screen; whoever sees it sees the code as well, so failing is no harm. */
function openBrowser(url: string, env: Readonly<Record<string, string | undefined>>): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const screen = process.platform === 'darwin' || (env['DISPLAY'] ?? env['WAYLAND_DISPLAY'] ?? '') !== '';
  if (!screen) return;
  const child = spawn(program, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}

async function withCode(berth: Runtime, target: Target, options: LoginOptions): Promise<Tokens> {
  const client = berth.makeClient(target);
  try {
    return await signInWithCode(client, {
      name: `berth on ${hostname()}`.slice(0, 80),
      ...(options.scope === undefined ? {} : { scope: options.scope.join(' ') }),
      now: berth.io.now,
      signal: berth.io.signal,
      show: ({ code, page, pageWithCode, minutes }) => {
        berth.note(
          `Open ${page} in a browser and confirm the code ${berth.paintErr.bold(code)} (within ${minutes} minutes).\n` +
            `Or follow this address: ${pageWithCode}\n`,
        );
        if (options.browser !== false && berth.io.stdout.isTTY === true) openBrowser(pageWithCode, berth.io.env);
      },
    });
  } finally {
    await client.close();
  }
}

async function login(berth: Runtime, options: LoginOptions): Promise<void> {
  if (options.passwordStdin === true && options.tokenStdin === true) {
    throw usageError('--password-stdin and --token-stdin cannot both read stdin.');
  }
  const days = Number(options.expiresInDays ?? LOGIN_TOKEN_DAYS);
  if (!Number.isInteger(days) || days < 1) throw usageError('--expires-in-days takes a whole number of days.');
  const target = await loginTarget(berth, options);
  const file = await berth.config();
  const name = contextName(berth, file);
  const next: Context = { url: target.url, ...(target.ca === undefined ? {} : { ca: target.ca }) };
  if (options.tokenStdin === true) {
    next.token = (await berth.readStdin()).trim();
    if (next.token === '') throw usageError('There was no token on stdin.');
  } else if (options.passwordStdin === true || options.email !== undefined) {
    Object.assign(next, await withPassword(berth, target, options, days));
  } else {
    Object.assign(next, await withCode(berth, target, options));
  }
  const client = berth.makeClient({ url: target.url, ca: target.ca, token: next.token });
  try {
    const whoami = await client.call('whoami', {});
    next.email = whoami.user.email;
    const old = file.contexts[name];
    if (old?.url === next.url && old.project !== undefined) next.project = old.project;
    await berth.changeConfig((now) => ({ current: name, contexts: { ...now.contexts, [name]: next } }));
    berth.print(
      { context: name, url: next.url, user: whoami.user },
      () => `Signed in to ${next.url} as ${plain(whoami.user.email)}.\n`,
    );
  } finally {
    await client.close();
  }
}

/** Ends at the server what this context is signed in with; false when there was nothing (any more) or nobody answers. */
async function revokeContext(berth: Runtime, context: Context): Promise<boolean> {
  try {
    if (context.refreshToken !== undefined) {
      const client = berth.makeClient({ url: context.url, ca: context.ca });
      await revokeSignIn(client, context.refreshToken).finally(() => client.close());
      return true;
    }
    if (context.tokenId === undefined) return false;
    await (await berth.client()).call('tokensRevoke', { params: { token: context.tokenId } });
    return true;
  } catch (error) {
    if (!(error instanceof CliError) || !['notSignedIn', 'notFound'].includes(error.exit)) {
      berth.note(`The token could not be revoked at the server (${(error as Error).message}); it is forgotten here.\n`);
    }
    return false;
  }
}

async function logout(berth: Runtime): Promise<void> {
  const { name, context } = await berth.context();
  if (context?.token === undefined) {
    berth.print({ context: name, revoked: false }, () => 'You were not signed in.\n');
    return;
  }
  const revoked = await revokeContext(berth, context);
  await berth.changeConfig((file) => {
    const { [name]: stored, ...others } = file.contexts;
    if (stored === undefined) return file;
    const rest = { ...stored };
    forgetTokens(rest);
    delete rest.email;
    return { ...file, contexts: { ...others, [name]: rest } };
  });
  berth.print({ context: name, revoked }, () => (revoked ? 'Signed out; the token is revoked.\n' : 'Signed out.\n'));
}

async function whoami(berth: Runtime): Promise<void> {
  const who = await berth.whoami();
  const { name, context } = await berth.context();
  berth.print(who, () =>
    renderProperties(
      [
        ['Person', `${plain(who.user.name)} <${plain(who.user.email)}>`],
        ['Installation', `${context?.url ?? ''} (context ${name})`],
        ['Platform admin', who.user.platformAdmin ? 'yes' : 'no'],
        [
          'Token',
          who.expiresAt === null ? 'never expires' : `expires ${formatRelative(who.expiresAt, berth.io.now())}`,
        ],
        ...who.memberships.map((item) => ['Organization', `${plain(item.organization.name)} (${item.role})`] as const),
        ...who.projects.map((item) => ['Project', plain(item.name)] as const),
      ],
      berth.paint,
    ),
  );
}

async function listContexts(berth: Runtime): Promise<void> {
  const file = await berth.config();
  const items = Object.entries(file.contexts).map(([name, context]) => ({
    name,
    current: name === file.current,
    url: context.url,
    email: context.email ?? null,
    project: context.project ?? null,
    signedIn: context.token !== undefined,
  }));
  berth.print({ items }, () =>
    renderTable(
      items,
      [
        { title: '', value: (row) => (row.current ? '*' : '') },
        { title: 'Name', value: (row) => row.name },
        { title: 'Address', value: (row) => row.url },
        { title: 'Person', value: (row) => (row.signedIn ? (row.email ?? '-') : '(signed out)') },
        { title: 'Project', value: (row) => row.project ?? '-' },
      ],
      { paint: berth.paint, empty: 'No contexts yet. Create one with: berth login' },
    ),
  );
}

export function addSessionCommands(program: Command, io: Io): void {
  program
    .command('login')
    .summary('Sign in to an installation')
    .description(
      'Sign in and keep the tokens in the configuration file (readable by you alone). Without a password: open the page,\n' +
        'confirm the code, and the program goes on; your second factor is asked for there. With --email: by password, and\n' +
        'an API token is made. On the Berth host the address and the CA certificate are found in the data directory.',
    )
    .option('--url <url>', 'address of the console, such as https://berth.localhost:9443')
    .option('--ca <file>', "Berth's CA certificate (on the host: <data dir>/ca.crt)")
    .option('--scope <scope...>', 'only this, such as "*.read" or "instance.*" (sign-in with a code)')
    .option('--no-browser', 'do not try to open the page')
    .option('--email <address>', 'sign in with the password of this account instead')
    .option('--password-stdin', 'read the password from stdin')
    .option('--code <code>', 'second factor: six digits of the authenticator app, or a recovery code')
    .option('--token-stdin', 'read an API token from stdin instead of signing in with a password')
    .option(
      '--data-dir <dir>',
      `data directory of the installation on this machine (default: BERTH_DATA_DIR, else ${DATA_DIR_DEFAULT})`,
    )
    .option('--expires-in-days <days>', `life of the token that a password makes (default: ${LOGIN_TOKEN_DAYS})`)
    .addHelpText(
      'after',
      examples([
        'berth login',
        'berth login --email ada@example.com',
        'berth login --url https://cloud.example.com:9443 --ca ca.crt --context work',
        'printf %s "$TOKEN" | berth login --url https://berth.localhost:9443 --token-stdin',
      ]),
    )
    .action(run<LoginOptions>(io, (berth, _args, options) => login(berth, options)));
  program
    .command('logout')
    .summary('Forget the token, and revoke it')
    .description('End the sign-in (or revoke the token) that `berth login` made, and forget it.')
    .action(run(io, (berth) => logout(berth)));
  program
    .command('whoami')
    .summary('Show who you are and what you belong to')
    .description('Show the signed-in person, the installation, the organizations and projects.')
    .action(run(io, (berth) => whoami(berth)));

  const contexts = program.command('contexts').alias('context').description('Installations this program knows');
  contexts
    .command('list')
    .alias('ls')
    .description('List contexts; the current one has a star')
    .action(run(io, (berth) => listContexts(berth)));
  contexts
    .command('use <name>')
    .description('Make a context the current one')
    .action(
      run(io, async (berth, [name = '']) => {
        const file = await berth.config();
        if (file.contexts[name] === undefined) {
          throw usageError(
            `There is no context "${name}".`,
            `Known: ${Object.keys(file.contexts).join(', ') || 'none'}.`,
          );
        }
        await berth.changeConfig((now) => ({ ...now, current: name }));
        berth.print({ current: name }, () => `Now using ${name}.\n`);
      }),
    );
  contexts
    .command('set-project <project>')
    .description('Remember a project for the current context, so that --project can be left out')
    .action(
      run(io, async (berth, [ref = '']) => {
        berth.options.project = ref;
        const project = await berth.project();
        const { name } = await berth.context();
        const file = await berth.config();
        const stored = file.contexts[name];
        if (stored === undefined)
          throw usageError('The context comes from the environment.', 'Set BERTH_PROJECT instead.');
        await berth.changeConfig((now) => ({
          ...now,
          contexts: { ...now.contexts, [name]: { ...(now.contexts[name] ?? stored), project: project.name } },
        }));
        berth.print(
          { context: name, project: project.name },
          () => `Project ${project.name} is now the default of ${name}.\n`,
        );
      }),
    );
  contexts
    .command('delete <name>')
    .alias('rm')
    .description('Forget a context (the token stays valid: log out first to revoke it)')
    .action(
      run(io, async (berth, [name = '']) => {
        const file = await berth.config();
        if (file.contexts[name] === undefined) {
          throw new CliError('notFound', `There is no context "${name}".`, { code: 'not_found' });
        }
        await berth.changeConfig((now) => {
          const { [name]: _, ...rest } = now.contexts;
          return {
            current: now.current === name ? (Object.keys(rest)[0] ?? CONTEXT_NAME_DEFAULT) : now.current,
            contexts: rest,
          };
        });
        berth.print({ deleted: name }, () => `Forgot ${name}.\n`);
      }),
    );
}

/** The "Examples" part of a help page. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}
