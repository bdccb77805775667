/** Where everything of one installation lives, and the installation's own record (config.json, root only). */
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { installationSchema, portRangeSchema } from '#contract/config.ts';
import { SSH_PORT_DEFAULT, SSH_WORKERS_MAX } from '#domain/ssh.ts';
import { writeFileAtomic } from './files.ts';

export const DEFAULT_DATA_DIR = '/var/lib/berth';
export const DEFAULT_DOMAIN = 'berth.localhost';
export const DEFAULT_PORTS = { control: 9443, https: 443, http: 80, ssh: SSH_PORT_DEFAULT };
/** Room for '/postgres/.s.PGSQL.5432' below the run folder within the 107 bytes of a socket path. */
const RUN_DIR_BYTES_MAX = 107 - '/postgres/.s.PGSQL.5432'.length;
const POOL4 = '10.64.0.0/10';

/** The checkout this program runs from. */
export const checkout = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const port = z.number().int().min(1).max(65535);
export const hostConfigSchema = z.strictObject({
  version: z.literal(1),
  installation: installationSchema,
  domain: z.string(),
  // Installations from before the SSH gateway have no port for it.
  ports: z.strictObject({ control: port, https: port, http: port, ssh: port.default(SSH_PORT_DEFAULT) }),
  network: z.strictObject({ pool4: z.string(), prefix6: z.string() }),
  pool: z.strictObject({ name: z.string(), device: z.string().nullable(), sizeBytes: z.number().nullable() }),
  /** Processes of the SSH gateway that carry connections; absent: by cores. */
  sshWorkers: z.number().int().min(1).max(SSH_WORKERS_MAX).optional(),
  /** Ports that may lead to instances; absent: domain/forwards.ts. */
  forwardPorts: portRangeSchema.optional(),
  /** Where certificates come from; absent: an authority of this installation's own. */
  acme: z
    .strictObject({ directory: z.string(), email: z.string().nullable(), caFile: z.string().nullable() })
    .optional(),
  /** Resolvers that are asked whether domains are proven; absent: this machine's own. */
  resolvers: z.array(z.string()).optional(),
  runDir: z.string(),
  createdAt: z.string(),
});
export type HostConfig = z.output<typeof hostConfigSchema>;

export type Layout = ReturnType<typeof layoutOf>;

/** All paths of an installation. `runDir` is decided once, at the first `up`. */
export function layoutOf(dataDir: string, runDir: string = join(dataDir, 'run')) {
  const data = resolve(dataDir);
  return {
    data,
    run: runDir,
    config: join(data, 'config.json'),
    processes: join(data, 'processes.json'),
    secrets: join(data, 'secrets'),
    runSecrets: join(data, 'run-secrets'),
    setupCode: join(data, 'secrets/setup-code'),
    configs: join(data, 'process-config'),
    postgres: join(data, 'postgres'),
    postgresPrograms: join(data, 'pg'),
    logs: join(data, 'logs'),
    caddy: join(data, 'caddy'),
    caCertificate: join(data, 'ca.crt'),
    bin: join(data, 'bin'),
    images: join(data, 'images'),
    imports: join(data, 'import'),
    agentState: join(data, 'agent'),
    backups: join(data, 'backups'),
    registry: join(data, 'registry'),
    compiled: join(data, 'compiled'),
    edge: join(data, 'edge'),
    countries: join(data, 'countries'),
    sshGateway: join(data, 'ssh-gateway'),
    sshRecordings: join(data, 'ssh-recordings'),
    /** Public halves of the gateway's host keys: everybody may read them. */
    sshHostKeys: join(data, 'ssh-host-keys.pub'),
    resolver: join(data, 'resolver'),
    app: join(data, 'app'),
    pids: join(runDir, 'pids'),
    sockets: {
      postgres: join(runDir, 'postgres'),
      server: join(runDir, 'server/http.sock'),
      edge: join(runDir, 'edge/http.sock'),
      edgeBridge: join(runDir, 'edge/bridge.sock'),
      edgeSsh: join(runDir, 'edge-ssh/ssh.sock'),
      serverSsh: join(runDir, 'server-ssh/ssh.sock'),
      sshGateway: join(runDir, 'ssh-gateway/health.sock'),
      agent: join(runDir, 'agent/agent.sock'),
      resolver: join(runDir, 'resolver/control.sock'),
      resolverFeed: join(runDir, 'resolver-feed/feed.sock'),
      caddyAdmin: join(runDir, 'caddy/admin.sock'),
      supervisor: join(runDir, 'supervisor/control.sock'),
    },
  };
}

/** The record of an installation; null when there is none in this folder. Error when it is damaged. */
export function loadHostConfig(dataDir: string): HostConfig | null {
  const file = join(resolve(dataDir), 'config.json');
  if (!existsSync(file)) return null;
  const result = hostConfigSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!result.success) throw new Error(`${file} is not a Berth configuration: ${z.prettifyError(result.error)}`);
  return result.data;
}

export function newHostConfig(dataDir: string): HostConfig {
  const installation = randomName();
  const data = resolve(dataDir);
  const short = Buffer.byteLength(join(data, 'run')) <= RUN_DIR_BYTES_MAX;
  const random = randomBytes(5).toString('hex');
  return {
    version: 1,
    installation,
    domain: DEFAULT_DOMAIN,
    ports: { ...DEFAULT_PORTS },
    network: {
      pool4: POOL4,
      prefix6: `fd${random.slice(0, 2)}:${hex4(random.slice(2, 6))}:${hex4(random.slice(6, 10))}`,
    },
    pool: { name: `bth-${installation}`, device: null, sizeBytes: null },
    runDir: short ? join(data, 'run') : `/run/berth-${installation}`,
    createdAt: new Date().toISOString(),
  };
}

export function saveHostConfig(dataDir: string, config: HostConfig): void {
  writeFileAtomic(join(resolve(dataDir), 'config.json'), `${JSON.stringify(config, null, 2)}\n`, 0o600);
}

/** `https://<domain>:<port>` as a browser writes it. */
export function originOf(domain: string, portNumber: number): string {
  return portNumber === 443 ? `https://${domain}` : `https://${domain}:${portNumber}`;
}

/** A letter first: the name is part of names on the engine. */
function randomName(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  let name = letters.charAt(randomInt(26));
  while (name.length < 6) name += `${letters}0123456789`.charAt(randomInt(36));
  return name;
}

function hex4(value: string): string {
  return Number.parseInt(value, 16).toString(16);
}
