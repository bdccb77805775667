/** Options of the host commands. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { type PortRange, portPoolAbility } from '#domain/forwards.ts';
import { SSH_WORKERS_MAX } from '#domain/ssh.ts';
import { DEFAULT_DATA_DIR } from './layout.ts';

export class UsageError extends Error {}

export type AcmeOptions = { directory: string; email: string | null; caFile: string | null };

export type UpOptions = {
  yes: boolean;
  detach: boolean;
  json: boolean;
  demo: boolean;
  images: boolean;
  console: boolean;
  dataDir: string;
  domain: string | null;
  controlPort: number | null;
  httpsPort: number | null;
  httpPort: number | null;
  sshPort: number | null;
  /** Processes of the SSH gateway; `auto`: by cores again; null: as it is. */
  sshWorkers: number | 'auto' | null;
  forwardPorts: PortRange | null;
  /** `internal`: back to an authority of Berth's own; null: as it is. */
  acme: AcmeOptions | 'internal' | null;
  /** Empty: back to the machine's own; null: as they are. */
  resolvers: string[] | null;
  poolDevice: string | null;
  poolSizeBytes: number | null;
};

const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const UNITS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** '40GiB', '40G', '1073741824' in bytes. Error: UsageError. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) throw new UsageError(`not a size: ${text} (write 40GiB)`);
  return Math.floor(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1));
}

function parsePort(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65535)
    throw new UsageError(`--${name} wants a port number, not ${text}`);
  return value;
}

function parseWorkers(text: string | undefined): UpOptions['sshWorkers'] {
  if (text === undefined || text === 'auto') return text ?? null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > SSH_WORKERS_MAX)
    throw new UsageError(`--ssh-workers wants a number from 1 to ${SSH_WORKERS_MAX} or 'auto', not ${text}`);
  return value;
}

function parseRange(name: string, text: string | undefined): PortRange | null {
  if (text === undefined) return null;
  const [, first = '', last = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  const able = first === '' ? 'Write 20000-21999.' : portPoolAbility(range);
  if (able !== true) throw new UsageError(`--${name} wants a range of ports, not ${text}. ${able}`);
  return range;
}

function parseAcme(
  directory: string | undefined,
  email: string | undefined,
  caFile: string | undefined,
): UpOptions['acme'] {
  if (directory === undefined) {
    if (email !== undefined || caFile !== undefined)
      throw new UsageError('--acme-email and --acme-ca-file go with --acme-directory');
    return null;
  }
  if (directory === 'internal') return 'internal';
  const url = URL.parse(directory);
  if (url?.protocol !== 'https:' || url.username !== '' || /[{}\s]/.test(directory))
    throw new UsageError(`--acme-directory wants the https:// address of an ACME directory, not ${directory}`);
  if (email !== undefined && !/^[^\s@{}]+@[^\s@{}]+$/.test(email))
    throw new UsageError(`--acme-email wants an e-mail address, not ${email}`);
  if (caFile !== undefined && !caFile.startsWith('/'))
    throw new UsageError(`--acme-ca-file wants an absolute path, not ${caFile}`);
  return { directory, email: email ?? null, caFile: caFile ?? null };
}

function parseResolvers(list: string[] | undefined): string[] | null {
  if (list === undefined) return null;
  if (list.length === 1 && list[0] === 'system') return [];
  for (const one of list) {
    const [, bracketed, port] = /^\[(.*)\](?::(\d+))?$/.exec(one) ?? [];
    const [address, port4] = bracketed !== undefined || isIP(one) === 6 ? [bracketed ?? one, port] : one.split(':');
    if (isIP(address ?? '') === 0) throw new UsageError(`--dns-resolver wants an address, not ${one}`);
    parsePort('dns-resolver', port ?? port4);
  }
  return list;
}

export function parseUp(args: readonly string[]): UpOptions {
  const { values } = parse(args, {
    yes: { type: 'boolean', short: 'y', default: false },
    detach: { type: 'boolean', short: 'd', default: false },
    json: { type: 'boolean', default: false },
    demo: { type: 'boolean', default: false },
    'no-console': { type: 'boolean', default: false },
    'no-images': { type: 'boolean', default: false },
    'data-dir': { type: 'string' },
    domain: { type: 'string' },
    'control-port': { type: 'string' },
    'https-port': { type: 'string' },
    'http-port': { type: 'string' },
    'ssh-port': { type: 'string' },
    'ssh-workers': { type: 'string' },
    'forward-ports': { type: 'string' },
    'acme-directory': { type: 'string' },
    'acme-email': { type: 'string' },
    'acme-ca-file': { type: 'string' },
    'dns-resolver': { type: 'string', multiple: true },
    'pool-device': { type: 'string' },
    'pool-size': { type: 'string' },
  });
  const text = (key: string) => values[key] as string | undefined;
  const domain = text('domain')?.toLowerCase().replace(/\.$/, '') ?? null;
  if (domain !== null && (!DOMAIN.test(domain) || domain.length > 200))
    throw new UsageError(`--domain wants a domain name, not ${domain}`);
  const device = text('pool-device') ?? null;
  if (device !== null && !device.startsWith('/dev/'))
    throw new UsageError('--pool-device wants a disk or partition below /dev');
  const size = text('pool-size');
  return {
    yes: values.yes === true,
    detach: values.detach === true,
    json: values.json === true,
    demo: values.demo === true,
    images: values['no-images'] !== true,
    console: values['no-console'] !== true,
    dataDir: dataDirOf(text('data-dir')),
    domain,
    controlPort: parsePort('control-port', text('control-port')),
    httpsPort: parsePort('https-port', text('https-port')),
    httpPort: parsePort('http-port', text('http-port')),
    acme: parseAcme(text('acme-directory'), text('acme-email'), text('acme-ca-file')),
    resolvers: parseResolvers(values['dns-resolver'] as string[] | undefined),
    sshPort: parsePort('ssh-port', text('ssh-port')),
    sshWorkers: parseWorkers(text('ssh-workers')),
    forwardPorts: parseRange('forward-ports', text('forward-ports')),
    poolDevice: device,
    poolSizeBytes: size === undefined ? null : parseSize(size),
  };
}

/** The data folder: option, else BERTH_DATA_DIR, else the default. */
export function dataDirOf(option: string | undefined): string {
  const dir = option ?? process.env.BERTH_DATA_DIR ?? DEFAULT_DATA_DIR;
  if (!dir.startsWith('/')) throw new UsageError(`--data-dir wants an absolute path, not ${dir}`);
  return dir.replace(/\/+$/, '');
}

type OptionSpec = NonNullable<Parameters<typeof parseArgs>[0]>['options'];

/** node:util parseArgs with its complaints as UsageError. */
export function parse(args: readonly string[], options: OptionSpec, allowPositionals = false) {
  try {
    return parseArgs({ args: [...args], options: options ?? {}, allowPositionals, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
