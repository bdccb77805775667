/**
 * The configuration file of each process (`node <room>/main.ts --config <file>`). `host/` writes one small JSON file
 * per process, readable by that process alone; it holds paths of secrets, never secrets. A process that does not
 * accept its file prints every problem and exits with CONFIG_EXIT_CODE.
 *
 * Sockets: every process listens on the path it is given. Its folder exists, belongs to it, has the right group and the
 * set-group-id bit, and the umask is 0007: a plain `listen(path)` therefore yields a socket that just its callers may
 * open. Remove a left-over socket file before listening. Every socket answers `GET /healthz` with 200 when ready.
 */
import { z } from 'zod';
import { portPoolAbility } from '#domain/forwards.ts';
import { type RateLimitName, rateLimitNames } from '#domain/rate-limits.ts';
import { SSH_WORKERS_MAX } from '#domain/ssh.ts';

/** Exit code for a refused configuration (EX_CONFIG); the supervisor does not hammer on such a process. */
export const CONFIG_EXIT_CODE = 78;

/** Six characters that mark everything this installation creates in an engine. */
export const installationSchema = z.string().regex(/^[a-z0-9]{6}$/, 'six characters a-z and 0-9');
const path = z.string().regex(/^\/[^\0]*$/, 'an absolute path');
const port = z.number().int().min(1).max(65535);
const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error']);
const domain = z
  .string()
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a domain in lower case');

const installation = {
  installation: installationSchema,
  /** Console at https://<domain>:<control>; instances at <name>.<domain>:<https>. */
  domain,
  ports: z.strictObject({ control: port, https: port, http: port }),
  /** Scheme, host and port of the console as a browser sends it in `Origin`, without a slash at the end. */
  consoleOrigin: z.url({ protocol: /^https$/ }),
  logLevel,
};

/** Ranges that Berth's own networks come from: IPv4 CIDR for /24s, IPv6 unique-local /48 without the colons at its end. */
const networkSchema = z.strictObject({
  pool4: z.string().regex(/^[0-9.]+\/[0-9]{1,2}$/, 'an IPv4 range'),
  prefix6: z.string().regex(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/, "a /48 such as 'fd42:1234:5678'"),
});

/** A pool of ports for forwards. */
export const portRangeSchema = z.strictObject({ first: port, last: port }).superRefine((range, context) => {
  const able = portPoolAbility(range);
  if (able !== true) context.addIssue({ code: 'custom', message: able });
});

/** How to reach the agent; the file holds the bearer token, one line. */
const agentCallerSchema = z.strictObject({ socket: path, tokenFile: path });

/** The URL holds no password for the embedded database (peer authentication by operating-system user). */
const databaseSchema = z.strictObject({ url: z.string().min(1) });

export const serverConfigSchema = z.strictObject({
  ...installation,
  socket: path,
  database: databaseSchema,
  agent: agentCallerSchema,
  secrets: z.strictObject({
    /** 32 bytes, base64, one line: seals secrets in the database. */
    masterKeyFile: path,
    /** 32 bytes, base64, one line: shared by server and edge to sign what one hands to the other through a browser. */
    edgeKeyFile: path,
  }),
  /**
   * The SSH gateway; absent: there is none. It tells on `socket`; `hostKeysFile` holds the public keys people may check,
   * one a line, and changes while this runs.
   */
  ssh: z
    .strictObject({
      port,
      socket: path,
      hostKeysFile: path,
      /** Folder of recordings: the gateway writes there, the server reads and deletes. */
      recordings: path,
    })
    .optional(),
  /** Built console (index.html and hashed assets); null in development, when Vite serves it. */
  consoleDir: path.nullable(),
  /** sha256 (hex) of the one-time set-up code, over the code in upper case without dashes and spaces (`setupCodeDigestInput`). */
  setupCodeHash: z.string().regex(/^[0-9a-f]{64}$/),
  network: networkSchema,
  /** Name under which this machine is registered as a host. */
  hostName: z.string().min(1).max(253),
  /** Name of this replica of the control plane, the same after every restart; absent: hostName. */
  replica: z.string().min(1).max(253).optional(),
  /** Resolvers to ask whether domains are proven, 'address' or 'address:port'; absent: this machine's own. */
  resolvers: z
    .array(z.string().regex(/^(?:[0-9.]+(?::[0-9]{1,5})?|[0-9a-fA-F:.]+|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?)$/))
    .max(8)
    .optional(),
  /** Where wildcard certificates come from; absent: none are made. */
  acme: z.strictObject({ directory: z.url(), email: z.string().nullable(), caFile: path.nullable() }).optional(),
  /** Database of countries in MaxMind's format, which an administrator may put there. */
  countryFile: path.optional(),
  /** Recipes to build as soon as the agent answers when the engine has no image of them; the order is the order of work. */
  buildImages: z.array(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/)).max(20),
  /** Limits on calls this installation starts with; absent ones have the defaults of domain/rate-limits.ts. */
  rateLimits: z
    .strictObject(
      Object.fromEntries(rateLimitNames.map((name) => [name, z.number().int().min(1).optional()])) as Record<
        RateLimitName,
        z.ZodOptional<z.ZodNumber>
      >,
    )
    .optional(),
});
export type ServerConfig = z.output<typeof serverConfigSchema>;

export const edgeConfigSchema = z.strictObject({
  ...installation,
  socket: path,
  /** Where Caddy brings the connections of private routes that stay open. */
  bridgeSocket: path,
  /** Where the SSH gateway asks; absent: there is none. */
  sshSocket: path.optional(),
  database: databaseSchema,
  agent: agentCallerSchema,
  secrets: z.strictObject({ edgeKeyFile: path }),
  /** Database of countries, as the server's. */
  countryFile: path.optional(),
  /** Folder of edge's own for the snapshot it starts from when the database is away. */
  snapshotDir: path,
  network: networkSchema,
});
export type EdgeConfig = z.output<typeof edgeConfigSchema>;

export const sshGatewayConfigSchema = z.strictObject({
  logLevel,
  /** Answers /healthz and nothing else. */
  socket: path,
  /** Without `host`: all addresses of this machine. */
  listen: z.strictObject({ host: z.string().min(1).max(253).optional(), port: z.number().int().min(0).max(65535) }),
  hostKeyFiles: z.array(path).min(1).max(8),
  /** The key that will be the first of these; it may be there or not, and come and go while this runs. */
  nextHostKeyFile: path.nullable(),
  /** Processes that carry connections; 1: no more than this one. */
  workers: z.number().int().min(1).max(SSH_WORKERS_MAX),
  /** Edge decides, the server signs people in and hears what happened. */
  edgeSocket: path,
  serverSocket: path,
  reportSocket: path,
  consoleOrigin: z.url({ protocol: /^https$/ }),
  /** Folder of recordings, in which it may make files and see none. */
  recordings: path,
});
export type SshGatewayConfig = z.output<typeof sshGatewayConfigSchema>;

export const agentConfigSchema = z.strictObject({
  installation: installationSchema,
  logLevel,
  socket: path,
  /** Who may call, by bearer token (the file holds it, one line). `server` may call every verb, `edge` only edgeVerbs. */
  tokens: z.array(z.strictObject({ caller: z.enum(['server', 'edge']), file: path })).min(1),
  engine: z.strictObject({ kind: z.literal('incus'), socket: path }),
  /** Storage pool that `up` made for this installation. */
  pool: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  network: networkSchema,
  /** Recipes and their files, in the checkout. */
  recipesDir: path,
  /** Work folder of image builds and built artefacts. */
  imagesDir: path,
  /** Files an administrator put there to import; `importImage` takes bare names in it. */
  importDir: path,
  /** The port that people's requests to instances come to: connections to it, and to no other, are cut when asked. */
  httpsPort: port,
  /** Ports of this host that may lead to instances; absent: domain/forwards.ts. */
  forwardPorts: portRangeSchema.optional(),
  /** The image cache: docker-registry, what runs it, as whom, and its folder; absent: there is none on this host. */
  registry: z
    .strictObject({
      program: path,
      main: path,
      user: z.strictObject({ uid: z.number().int().min(1), gid: z.number().int().min(1) }),
      dataDir: path,
    })
    .optional(),
  /** The agent's own state (allow-listed fingerprints). */
  stateDir: path,
  /** Repositories of backups. */
  backupsDir: path,
  /** Debian mirror for image builds; null: the one this machine uses, else the agent's default. */
  mirror: z.url().nullable(),
  /** The resolver that guests are led to; absent: they ask the engine's. */
  resolver: z
    .strictObject({
      address4: z.string().regex(/^169\.254\.[0-9]{1,3}\.[0-9]{1,3}$/, 'a link-local IPv4 address'),
      address6: z.string().regex(/^fd[0-9a-f:]+$/, 'a unique local IPv6 address'),
      /** Socket on which the agent hears what was answered. */
      feed: path,
      /** File in which the resolver reads which names matter. */
      names: path,
    })
    .optional(),
});
export type AgentConfig = z.output<typeof agentConfigSchema>;

/** The form of a set-up code that is hashed: people may type it with or without dashes, in any case. */
export function setupCodeDigestInput(code: string): string {
  return code.toUpperCase().replace(/[\s-]/g, '');
}

/**
 * Parses the JSON text of a configuration file. Errors: an Error whose message lists every problem, one per line.
 */
export function parseConfig<T extends z.ZodType>(schema: T, text: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Error(
    result.error.issues.map((issue) => `${issue.path.join('.') || '(file)'}: ${issue.message}`).join('\n'),
  );
}
