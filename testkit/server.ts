/**
 * The control plane in this process: the real HTTP stack, app layer and store on a database of the test's own, with the
 * simulated driver behind it. Requests are injected; nothing listens.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { LightMyRequestResponse } from 'fastify';
import { api } from '#contract/api.ts';
import { type ServerConfig, setupCodeDigestInput } from '#contract/config.ts';
import type { BodyInputOf, QueryInputOf, ResponseOf, RouteDefinition } from '#contract/route.ts';
import type { Role } from '#domain/authz.ts';
import type { OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import { type RateLimitName, rateLimitNames } from '#domain/rate-limits.ts';
import type { InstanceDriver } from '#drivers/interface.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { smtpTransport } from '#integrations/smtp/smtp.ts';
import type { Clock } from '#server/runtime/clock.ts';
import { createLog, type Log } from '#server/runtime/log.ts';
import { type RunningServer, type ServerParts, startServer } from '#server/wire.ts';
import { defaultTiming } from '#server/workflows/services.ts';
import { noStopPoint } from '#server/workflows/stop-point.ts';

export const SETUP_CODE = 'TEST-CODE-2345-WXYZ';
/** The same for every server of a test run: replicas share it. */
const MASTER_KEY = randomBytes(32).toString('base64');
export const PASSWORD = 'four plain words here';

/** A clock that stands still until told otherwise. */
export class TestClock implements Clock {
  #now: number;
  constructor(start: Date = new Date()) {
    this.#now = start.getTime();
  }
  now(): Date {
    return new Date(this.#now);
  }
  advance(by: { seconds?: number; minutes?: number; hours?: number; days?: number }): void {
    const { seconds = 0, minutes = 0, hours = 0, days = 0 } = by;
    this.#now += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
  }
}

/** Limits on calls that no test meets unless it means to. */
export const wideLimits = Object.fromEntries(rateLimitNames.map((name) => [name, 1_000_000])) as Record<
  RateLimitName,
  number
>;

/** A configuration for `databaseUrl`; limits are wide unless a test narrows them. */
export function testConfig(databaseUrl: string, changes: Partial<ServerConfig> = {}): ServerConfig {
  return {
    installation: 'tst001',
    domain: 'berth.localhost',
    ports: { control: 9443, https: 443, http: 80 },
    consoleOrigin: 'https://berth.localhost:9443',
    logLevel: 'trace',
    socket: '/nonexistent/server.sock',
    database: { url: databaseUrl },
    agent: { socket: '/nonexistent/agent.sock', tokenFile: '/nonexistent/token' },
    secrets: { masterKeyFile: '/nonexistent/master.key', edgeKeyFile: '/nonexistent/edge.key' },
    consoleDir: null,
    setupCodeHash: createHash('sha256').update(setupCodeDigestInput(SETUP_CODE)).digest('hex'),
    network: { pool4: '10.64.0.0/12', prefix6: 'fd42:1:2' },
    hostName: 'test-host',
    buildImages: [],
    rateLimits: wideLimits,
    ...changes,
  };
}

export type TestServerOptions = {
  /** From testkit/postgres.ts. */
  database: { url: string };
  config?: Partial<ServerConfig>;
  driver?: InstanceDriver;
  clock?: Clock;
  log?: Log;
  masterKey?: string;
  edgeKey?: Uint8Array;
} & Pick<ServerParts, 'startWork' | 'work' | 'slow' | 'cloudflareApi'>;

export type TestServer = RunningServer & {
  driver: InstanceDriver;
  /** Everything that was logged, as JSON lines. */
  logLines: string[];
  /** Somebody without credentials. */
  anonymous: TestClient;
  /** Creates the owner of the installation and of its first organization. */
  setUp(): Promise<SetUp>;
};

export type SetUp = { owner: TestClient; organization: OrganizationId; project: ProjectId };

/** Starts it. Call `stop()` when the test file ends. */
export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const logLines: string[] = [];
  const driver = options.driver ?? new SimulatedDriver();
  const running = await startServer({
    config: testConfig(options.database.url, options.config),
    masterKey: options.masterKey ?? MASTER_KEY,
    edgeKey: options.edgeKey ?? new Uint8Array(32),
    driver,
    log: options.log ?? createLog({ level: 'trace', write: (line) => logLines.push(line) }),
    version: '0.0.0-test',
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.slow === undefined ? {} : { slow: options.slow }),
    ...(options.startWork === undefined ? {} : { startWork: options.startWork }),
    ...(options.cloudflareApi === undefined ? {} : { cloudflareApi: options.cloudflareApi }),
    ...(options.work === undefined ? {} : { work: options.work }),
  });
  const anonymous = new TestClient(running);
  return {
    ...running,
    driver,
    logLines,
    anonymous,
    async setUp() {
      const owner = new TestClient(running);
      const who = await owner.call(api.setup, {
        body: { code: SETUP_CODE, email: 'owner@example.test', name: 'Olivia Owner', password: PASSWORD },
      });
      owner.userId = who.user.id;
      const project = who.projects[0];
      if (project === undefined) throw new Error('set-up made no project');
      return { owner, organization: project.organization, project: project.id };
    },
  };
}

type Loose = Record<string, string>;
export type TestCall<R extends RouteDefinition> = {
  params?: Loose;
  query?: QueryInputOf<R> | Loose;
  body?: BodyInputOf<R>;
  headers?: Record<string, string>;
};
export type RawCall = {
  method: string;
  url: string;
  payload?: unknown;
  headers?: Record<string, string>;
};

export class CallError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: { code: string; detail: string; fields?: { field: string; message: string }[] };
  constructor(route: string, response: LightMyRequestResponse) {
    const problem = response.json<CallError['problem']>();
    super(
      `${route}: ${response.statusCode} ${problem.code}: ${problem.detail} ${JSON.stringify(problem.fields ?? [])}`,
    );
    this.status = response.statusCode;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** One person's browser (cookie) or program (token). */
export class TestClient {
  readonly #server: RunningServer;
  cookie: string | null = null;
  token: string | null = null;
  /** Between the two steps of signing in. */
  signInHandle: string | null = null;
  /** While at an identity provider. */
  outsideSecret: string | null = null;
  userId: UserId | null = null;
  address = '192.0.2.7';

  constructor(server: RunningServer) {
    this.#server = server;
  }

  /** Calls a route of the contract. Errors: CallError for anything but success. */
  async call<R extends RouteDefinition>(route: R, input: TestCall<R> = {}): Promise<ResponseOf<R>> {
    const response = await this.try(route, input);
    if (response.statusCode !== route.status) throw new CallError(route.id, response);
    return (response.statusCode === 204 ? undefined : response.json()) as ResponseOf<R>;
  }

  /** Calls a route and answers the response, whatever it is. */
  async try<R extends RouteDefinition>(route: R, input: TestCall<R> = {}): Promise<LightMyRequestResponse> {
    const path = route.path.replace(/:([a-zA-Z]+)/g, (_, name: string) =>
      encodeURIComponent(input.params?.[name] ?? `missing-${name}`),
    );
    const query = new URLSearchParams(
      Object.entries((input.query ?? {}) as Record<string, unknown>)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]): [string, string] => [key, String(value)]),
    ).toString();
    return this.raw({
      method: route.method,
      url: query === '' ? path : `${path}?${query}`,
      payload: input.body,
      ...(input.headers === undefined ? {} : { headers: input.headers }),
    });
  }

  /** Any request, with this client's credentials and, like a browser, its origin. */
  async raw(call: RawCall): Promise<LightMyRequestResponse> {
    const headers: Record<string, string> = { 'x-forwarded-for': this.address, 'user-agent': 'berth-test' };
    if (this.token !== null) headers.authorization = `Bearer ${this.token}`;
    if (this.cookie !== null) {
      headers.cookie = `__Host-berth=${this.cookie}`;
      headers.origin = this.#server.app.config.consoleOrigin;
      headers['sec-fetch-site'] = 'same-origin';
    }
    const handles = [
      this.signInHandle === null ? '' : `__Host-berth-sign-in=${this.signInHandle}`,
      this.outsideSecret === null ? '' : `__Host-berth-outside=${this.outsideSecret}`,
    ];
    const cookies = [headers.cookie, ...handles, call.headers?.cookie].filter((cookie) => (cookie ?? '') !== '');
    if (cookies.length > 0) headers.cookie = cookies.join('; ');
    const { payload } = call;
    const bytes = payload instanceof Uint8Array;
    if (payload !== undefined && typeof payload !== 'string') {
      headers['content-type'] = bytes ? 'application/octet-stream' : 'application/json';
    }
    const response = await this.#server.http.fastify.inject({
      method: call.method as 'GET',
      url: call.url,
      headers: { ...headers, ...call.headers, ...(headers.cookie === undefined ? {} : { cookie: headers.cookie }) },
      ...(payload === undefined ? {} : { payload: payloadOf(payload) }),
    });
    const set = response.cookies.find((cookie) => cookie.name === '__Host-berth');
    if (set !== undefined) this.cookie = set.value === '' ? null : set.value;
    const handle = response.cookies.find((cookie) => cookie.name === '__Host-berth-sign-in');
    if (handle !== undefined) this.signInHandle = handle.value === '' ? null : handle.value;
    const outside = response.cookies.find((cookie) => cookie.name === '__Host-berth-outside');
    if (outside !== undefined) this.outsideSecret = outside.value === '' ? null : outside.value;
    return response;
  }

  /** The same person on another device: signs in anew. */
  async again(email: string, password: string = PASSWORD): Promise<TestClient> {
    const client = new TestClient(this.#server);
    const who = await client.call(api.signIn, { body: { email, password } });
    if (who.next !== 'done') throw new Error(`${email} has a second factor`);
    client.userId = who.user.id;
    return client;
  }

  /** A program of the same person: a client that holds an API token. */
  async program(): Promise<TestClient> {
    const { secret } = await this.call(api.tokensCreate, { body: { name: 'test program' } });
    const client = new TestClient(this.#server);
    client.token = secret;
    client.userId = this.userId;
    return client;
  }

  /** Invites somebody with `role` and answers them signed in. */
  async addMember(organization: OrganizationId, role: Role, email?: string): Promise<TestClient> {
    const address = email ?? `${role}-${randomBytes(4).toString('hex')}@example.test`;
    const { link } = await this.call(api.invitationsCreate, {
      params: { organization },
      body: { email: address, role },
    });
    if (link === null) throw new Error('the invitation went by mail');
    const client = new TestClient(this.#server);
    const who = await client.call(api.invitationAccept, {
      params: { secret: new URL(link).pathname.split('/').at(-1) ?? '' },
      body: { name: `The ${role}`, password: PASSWORD },
    });
    client.userId = who.user.id;
    return client;
  }

  /** A second organization with an owner of its own, who has nothing to do with the first. Needs a platform administrator. */
  async addStranger(name = `other-${randomBytes(3).toString('hex')}`): Promise<SetUp> {
    const { id: organization } = await this.call(api.organizationsCreate, { body: { name, title: 'Another tenant' } });
    const owner = await this.addMember(organization, 'owner');
    const {
      items: [project],
    } = await owner.call(api.projectsList, { params: { organization } });
    if (project === undefined) throw new Error('the new organization has no project');
    // The administrator who made it leaves, so that the two tenants share nobody.
    if (this.userId !== null) await this.call(api.membersRemove, { params: { organization, user: this.userId } });
    return { owner, organization, project: project.id };
  }
}

function payloadOf(payload: unknown): string | Buffer {
  if (payload instanceof Uint8Array) return Buffer.from(payload);
  return typeof payload === 'string' ? payload : JSON.stringify(payload);
}

/** Work that accepts runs and never does them: for tests that only look at the front. */
export const idleWork: NonNullable<ServerParts['startWork']> = async (options) => ({
  services: {
    db: options.db,
    driver: options.driver,
    mail: smtpTransport(),
    secrets: options.secrets,
    log: options.log,
    domain: options.config.domain,
    hostName: options.config.hostName,
    timing: defaultTiming,
    now: () => options.clock.now().getTime(),
    random: (bytes) => options.ids.random(bytes),
    stopping: () => false,
    startRun: () => {},
    nudge: () => {},
    stopPoint: noStopPoint,
  },
  reconcilers: () => [],
  stop: async () => {},
});
