/** What every command gets: where to print, which installation and project it is about, and the client to it. */
import { hostname } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { BerthClient, type OutputOf } from './client.ts';
import {
  type ConfigFile,
  type Context,
  configPath,
  type Environment,
  type ResolvedContext,
  readConfig,
  resolveContext,
  writeConfig,
} from './config.ts';
import { CliError, usageError } from './errors.ts';
import { makePaint, type Paint } from './format.ts';
import { withLock } from './lock.ts';
import { configLock, freshToken } from './sign-in.ts';

export const VERSION: string = packageJson.version;

export type TerminalWritable = Writable & { isTTY?: boolean; columns?: number; rows?: number };
export type TerminalReadable = Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };
export type Io = {
  stdout: TerminalWritable;
  stderr: TerminalWritable;
  stdin: TerminalReadable;
  env: Environment;
  now: () => number;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
};

export type GlobalOptions = {
  json?: boolean;
  context?: string;
  project?: string;
  organization?: string;
  debug?: boolean;
  color?: boolean;
};

type Whoami = OutputOf<'whoami'>;
export type ProjectRef = Whoami['projects'][number];
export type OrganizationRef = Whoami['memberships'][number]['organization'];

export class Runtime {
  readonly io: Io;
  readonly options: GlobalOptions;
  readonly paint: Paint;
  readonly paintErr: Paint;
  #client: BerthClient | null = null;
  #file: ConfigFile | null = null;
  #whoami: Promise<Whoami> | null = null;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.options = options;
    const wanted = options.color !== false && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
    this.paint = makePaint(wanted && io.stdout.isTTY === true);
    this.paintErr = makePaint(wanted && io.stderr.isTTY === true);
  }

  get json(): boolean {
    return this.options.json === true;
  }

  out(text: string): void {
    this.io.stdout.write(text);
  }

  /** Remarks and progress: never mixed into what a script reads. */
  note(text: string): void {
    this.io.stderr.write(text);
  }

  /** The one place that prints results: API-shaped JSON with `--json`, else the text for people. */
  print(value: unknown, human: () => string): void {
    this.out(this.json ? `${JSON.stringify(value, null, 2)}\n` : human());
  }

  get configPath(): string {
    return configPath(this.io.env);
  }

  async config(): Promise<ConfigFile> {
    this.#file ??= await readConfig(this.configPath);
    return this.#file;
  }

  /** Changes the file as it is now: another program may have written it meanwhile. */
  async changeConfig(change: (file: ConfigFile) => ConfigFile): Promise<void> {
    await withLock(configLock(this.configPath), async () => {
      this.#file = change(await readConfig(this.configPath));
      await writeConfig(this.configPath, this.#file);
    });
  }

  async context(): Promise<ResolvedContext> {
    return resolveContext(await this.config(), this.io.env, this.options.context);
  }

  /** A client to any address; the caller closes it. */
  makeClient(
    target: { url: string; token?: string | undefined; ca?: string | undefined; refreshToken?: string | undefined },
    contextName?: string,
  ): BerthClient {
    const renews = target.refreshToken !== undefined && contextName !== undefined;
    return new BerthClient({
      url: target.url,
      userAgent: `berth-cli/${VERSION} (${process.platform}; ${hostname()})`,
      ...(target.token === undefined ? {} : { token: target.token }),
      ...(renews ? { tokenSource: this.#tokenSource(target as Context, contextName) } : {}),
      ...(target.ca === undefined ? {} : { caFile: target.ca }),
      ...(this.options.debug === true ? { trace: (line: string) => this.note(`${this.paintErr.dim(line)}\n`) } : {}),
    });
  }

  /** The client of the context in force. Errors: CliError notSignedIn. */
  async client(): Promise<BerthClient> {
    if (this.#client !== null) return this.#client;
    const { name, context } = await this.context();
    if (context === null || context.token === undefined) {
      throw new CliError('notSignedIn', 'You are not signed in.', {
        code: 'unauthenticated',
        hint: 'Sign in with: berth login, or set BERTH_URL and BERTH_TOKEN.',
      });
    }
    this.#client = this.makeClient(context, name);
    return this.#client;
  }

  /** Access tokens of a context that was signed in with a code. */
  #tokenSource(context: Context, contextName: string): (refused?: string) => Promise<string> {
    let now = context;
    return async (refused) => {
      const client = this.makeClient({ url: context.url, ca: context.ca });
      try {
        const { configPath, io } = this;
        now = await freshToken({ configPath, contextName, context: now, client, now: io.now, refused });
      } finally {
        await client.close();
      }
      return now.token ?? '';
    };
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async whoami(): Promise<Whoami> {
    this.#whoami ??= this.client().then((client) => client.call('whoami', {}, { signal: this.io.signal }));
    return this.#whoami;
  }

  /** The project named by `--project`, the context, or the only one there is. */
  async project(): Promise<ProjectRef> {
    const wanted = this.options.project ?? (await this.context()).context?.project;
    const { projects } = await this.whoami();
    if (wanted !== undefined) {
      const found = projects.filter((project) => project.id === wanted || project.name === wanted);
      if (found.length === 1 && found[0] !== undefined) return found[0];
      if (found.length > 1) {
        throw usageError(
          `Several projects are called "${wanted}".`,
          `Use an id: ${found.map((p) => p.id).join(', ')}.`,
        );
      }
      throw new CliError('notFound', `There is no project "${wanted}", or it is not yours.`, {
        code: 'not_found',
        hint: projects.length === 0 ? 'You belong to no project.' : `Yours: ${projects.map((p) => p.name).join(', ')}.`,
      });
    }
    const only = projects[0];
    if (only === undefined) {
      throw new CliError('notFound', 'You belong to no project.', { code: 'not_found', hint: 'Ask to be invited.' });
    }
    if (projects.length > 1) {
      throw usageError(
        'Which project?',
        `Add --project NAME (${projects.map((p) => p.name).join(', ')}), or set BERTH_PROJECT.`,
      );
    }
    return only;
  }

  /** The organization named by `--organization`, that of `--project`, or the only one there is. */
  async organization(): Promise<OrganizationRef> {
    const { memberships } = await this.whoami();
    const wanted = this.options.organization;
    const all = memberships.map((membership) => membership.organization);
    if (wanted !== undefined) {
      const found = all.find((organization) => organization.id === wanted || organization.name === wanted);
      if (found !== undefined) return found;
      throw new CliError('notFound', `There is no organization "${wanted}", or it is not yours.`, {
        code: 'not_found',
        hint: `Yours: ${all.map((organization) => organization.name).join(', ') || 'none'}.`,
      });
    }
    const only = all[0];
    if (only !== undefined && all.length === 1) return only;
    const project = await this.project();
    const owner = all.find((organization) => organization.id === project.organization);
    if (owner !== undefined) return owner;
    throw usageError('Which organization?', 'Add --organization NAME.');
  }

  /** Asks on the terminal; `--yes` answers. Errors: CliError usage when nobody can be asked. */
  async confirm(question: string, yes: boolean | undefined): Promise<void> {
    if (yes === true) return;
    if (this.io.stdin.isTTY !== true)
      throw usageError(`${question} Nobody can be asked here.`, 'Add --yes to confirm.');
    const answer = await this.ask(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new CliError('interrupted', 'Nothing was changed.', { code: 'interrupted' });
    }
  }

  /** One line from the terminal; the question goes to stderr. */
  async ask(question: string): Promise<string> {
    const prompt = createInterface({ input: this.io.stdin, output: this.io.stderr });
    try {
      return await prompt.question(question, { signal: this.io.signal });
    } finally {
      prompt.close();
    }
  }

  /** One line that is not shown while it is typed. */
  async askSecret(question: string): Promise<string> {
    const { stdin } = this.io;
    if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
      throw usageError('There is no terminal to ask for the password.', 'Pipe it in with --password-stdin.');
    }
    this.note(question);
    stdin.setRawMode(true);
    try {
      return await readHiddenLine(stdin, this.io.signal);
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      this.note('\n');
    }
  }

  /** All of stdin as one secret: a single line, without the newline at its end. */
  async readStdin(): Promise<string> {
    let text = '';
    this.io.stdin.setEncoding('utf8');
    for await (const chunk of this.io.stdin as AsyncIterable<string>) {
      text += chunk;
      if (text.length > 10_000) throw usageError('What comes on stdin is too long for a secret.');
    }
    return text.replace(/\r?\n$/, '');
  }
}

async function readHiddenLine(stdin: TerminalReadable, signal: AbortSignal): Promise<string> {
  stdin.setEncoding('utf8');
  stdin.resume();
  return await new Promise<string>((resolve, reject) => {
    let line = '';
    const finish = (act: () => void): void => {
      stdin.off('data', onData);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void =>
      finish(() => reject(new CliError('interrupted', 'Interrupted.', { code: 'interrupted' })));
    const onData = (chunk: string): void => {
      for (const key of chunk) {
        if (key === '\r' || key === '\n') finish(() => resolve(line));
        else if (key === '\u0003' || key === '\u0004') onAbort();
        else if (key === '\u007f' || key === '\b') line = line.slice(0, -1);
        else if (key >= ' ') line += key;
      }
    };
    stdin.on('data', onData);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Makes commander's callback out of a command: global options read, client closed at the end. */
export function run<Options extends object>(
  io: Io,
  work: (berth: Runtime, args: string[], options: Options & GlobalOptions, command: Command) => Promise<void>,
): (...received: unknown[]) => Promise<void> {
  return async (...received) => {
    const command = received.at(-1) as Command;
    const args = received.slice(0, -2).flat() as string[];
    const options = command.optsWithGlobals() as Options & GlobalOptions;
    const berth = new Runtime(io, options);
    try {
      await work(berth, args, options, command);
    } finally {
      await berth.close();
    }
  };
}
