/**
 * What the program remembers between calls: contexts (an installation, a token, a project) in one file that only its
 * owner may read. Environment variables win over the file: BERTH_URL, BERTH_TOKEN, BERTH_CA, BERTH_PROJECT,
 * BERTH_CONTEXT. On the Berth host the data directory tells where the installation is.
 */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CliError, usageError } from './errors.ts';

export const DATA_DIR_DEFAULT = '/var/lib/berth';
export const CONTEXT_NAME_DEFAULT = 'default';

const contextSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  token: z.string().optional(),
  /** Signed in with a code: `token` ends then, and `refreshToken` brings the next, once. */
  tokenExpiresAt: z.iso.datetime().optional(),
  refreshToken: z.string().optional(),
  /** Id of the token, so that `logout` can revoke it. */
  tokenId: z.string().optional(),
  /** Path of the CA certificate that vouches for the installation. */
  ca: z.string().optional(),
  email: z.string().optional(),
  project: z.string().optional(),
});
const fileSchema = z.object({
  current: z.string().default(CONTEXT_NAME_DEFAULT),
  contexts: z.record(z.string(), contextSchema).default({}),
});

export type Context = z.output<typeof contextSchema>;
export type ConfigFile = z.output<typeof fileSchema>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** $XDG_CONFIG_HOME/berth/config.json, else ~/.config/berth/config.json. */
export function configPath(env: Environment): string {
  const base = env['XDG_CONFIG_HOME'];
  return join(
    base === undefined || base === '' ? join(env['HOME'] ?? homedir(), '.config') : base,
    'berth',
    'config.json',
  );
}

/** Reads the file; an absent file is an empty one. Errors: CliError usage when it cannot be understood. */
export async function readConfig(path: string): Promise<ConfigFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return fileSchema.parse({});
    throw new CliError('failure', `Cannot read ${path}: ${(error as Error).message}`, { cause: error, code: 'usage' });
  }
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new CliError('usage', `${path} is damaged.`, {
      hint: 'Move it away and sign in again: berth login',
      cause: error,
    });
  }
}

/** Writes the file with mode 0600 by way of a rename, so that a crash never leaves half of it. */
export async function writeConfig(path: string, config: ConfigFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}

/** Everything that signs in, taken out of a context. */
export function forgetTokens(context: Partial<Context>): void {
  delete context.token;
  delete context.tokenId;
  delete context.tokenExpiresAt;
  delete context.refreshToken;
}

export type ResolvedContext = { name: string; context: Context | null; source: 'environment' | 'file' | 'none' };

/** The context in force: environment first, then `--context` or BERTH_CONTEXT, then the current one of the file. */
export function resolveContext(file: ConfigFile, env: Environment, wanted: string | undefined): ResolvedContext {
  const name = wanted ?? env['BERTH_CONTEXT'] ?? file.current;
  const stored = file.contexts[name];
  if (wanted !== undefined && stored === undefined) {
    const known = Object.keys(file.contexts);
    throw usageError(
      `There is no context "${wanted}".`,
      known.length === 0 ? 'Create one with: berth login --context NAME' : `Known: ${known.join(', ')}.`,
    );
  }
  const url = env['BERTH_URL'];
  const token = env['BERTH_TOKEN'];
  const ca = env['BERTH_CA'];
  const project = env['BERTH_PROJECT'];
  const base: Partial<Context> = { ...stored };
  if (url !== undefined && url !== '' && url !== stored?.url) {
    // Another installation: never send it the stored token.
    forgetTokens(base);
    delete base.ca;
    base.url = url;
  }
  if (token !== undefined && token !== '') {
    forgetTokens(base);
    base.token = token;
  }
  if (ca !== undefined && ca !== '') base.ca = ca;
  if (project !== undefined && project !== '') base.project = project;
  if (base.url === undefined) return { name, context: null, source: 'none' };
  const parsed = contextSchema.safeParse(base);
  if (!parsed.success)
    throw usageError(`"${base.url}" is not an address.`, 'Write it like https://berth.localhost:9443');
  return { name, context: parsed.data, source: stored === undefined ? 'environment' : 'file' };
}

export type HostInstallation = { url: string; ca: string };

/**
 * Finds the installation of this machine in its data directory. config.json is readable by root only; for everybody
 * else (and where there is none) the answer is null.
 */
export async function findHostInstallation(dataDir: string): Promise<HostInstallation | null> {
  try {
    const url = consoleUrlOf(JSON.parse(await readFile(join(dataDir, 'config.json'), 'utf8')));
    return url === null ? null : { url, ca: join(dataDir, 'ca.crt') };
  } catch {
    return null;
  }
}

/** The console's address out of the record that `./berth up` keeps. */
function consoleUrlOf(value: unknown): string | null {
  const record = z.object({ domain: z.string(), ports: z.object({ control: z.number() }) }).safeParse(value);
  if (!record.success) return null;
  const { domain, ports } = record.data;
  return ports.control === 443 ? `https://${domain}` : `https://${domain}:${ports.control}`;
}
