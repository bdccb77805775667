/** Puts the parts of edge together; used by main.ts and by tests. */
import type { Server } from 'node:http';
import type { EdgeConfig } from '#contract/config.ts';
import { CountryDatabase } from '#contract/countries.ts';
import { AccessTokens } from './access-tokens.ts';
import { AgentClient } from './agent.ts';
import { Authorizer, type Site } from './authorize.ts';
import { BasicAuth } from './basic-auth.ts';
import { Bridge } from './bridge.ts';
import type { Knowledge } from './callers.ts';
import { Feed } from './feed.ts';
import { edgeServer } from './http.ts';
import { Lines } from './lines.ts';
import { addressGuard } from './pools.ts';
import { RoutePasses, SignInCodes } from './route-pass.ts';
import { SignIn } from './sign-in.ts';
import { keepSnapshot, readSnapshot } from './snapshot.ts';
import { Sockets } from './sockets.ts';
import { SshDoors } from './ssh-doors.ts';
import { sshServer } from './ssh-http.ts';
import { EdgeState } from './state.ts';
import { Thumbnails } from './thumbnails.ts';
import { Wildcards } from './wildcards.ts';

/** How long a start waits for the database before it serves from the snapshot. */
/** How soon a database of countries that was changed is read. */
const COUNTRIES_EVERY_MS = 3_000;
const FIRST_LOAD_MS_MAX = 1_500;

type LogFunction = (fields: object, message: string) => void;
export type EdgeLog = { info: LogFunction; warn: LogFunction; error: LogFunction };

export type EdgeOptions = {
  config: Pick<
    EdgeConfig,
    | 'domain'
    | 'ports'
    | 'consoleOrigin'
    | 'socket'
    | 'bridgeSocket'
    | 'sshSocket'
    | 'database'
    | 'snapshotDir'
    | 'countryFile'
    | 'network'
  > & {
    agent: { socket: string };
  };
  /** The installation's key that edge signs its cookies with. */
  edgeKey: Uint8Array;
  agentToken: string;
  log: EdgeLog;
  /** Unix time in milliseconds. */
  now(): number;
  /** An unguessable, URL-safe string. */
  random(): string;
};

export type Edge = { server: Server; state: EdgeState; feed: Feed; stop(): Promise<void> };

/** Loads, listens, and follows the database until stopped. Errors: those of listening. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { config, log, now, random } = options;
  const state = new EdgeState();
  const snapshot = readSnapshot(config.snapshotDir, now());
  if ('reason' in snapshot) {
    log.info({ reason: snapshot.reason }, 'starting without a snapshot');
  } else {
    state.replace(snapshot.tables);
    state.confirmedAt = snapshot.confirmedAt;
  }
  const countries = new CountryDatabase(config.countryFile);
  state.countryOf = (address) => countries.countryOf(address);
  const readCountries = () => void countries.refresh();
  await countries.refresh();
  const countryTimer = setInterval(readCountries, COUNTRIES_EVERY_MS).unref();
  const feed = new Feed({ url: config.database.url, state, log, now });
  const keeper = keepSnapshot(config.snapshotDir, state, now, (error) =>
    log.error({ err: error }, 'the snapshot could not be written'),
  );
  await Promise.race([feed.start(), new Promise((resolve) => setTimeout(resolve, FIRST_LOAD_MS_MAX))]);

  const site: Site = { domain: config.domain, consoleOrigin: config.consoleOrigin, httpsPort: config.ports.https };
  const accessTokens = new AccessTokens(state, config.consoleOrigin, now);
  const knowledge: Knowledge = {
    state,
    now,
    lookup: (what, missMs) =>
      what.by === 'accessToken'
        ? accessTokens.learn(what.key).then(async (sessionId) => {
            if (sessionId !== null && !state.hasSession(sessionId)) {
              await feed.lookup({ by: 'sessionId', key: sessionId }, missMs);
            }
          })
        : feed.lookup(what, missMs),
  };
  const mayDial = addressGuard(config.network);
  const agent = new AgentClient(config.agent.socket, options.agentToken);
  const screens = { agent, mayDial, log };
  const passes = new RoutePasses(options.edgeKey);
  const basicAuth = new BasicAuth(now);
  const signIn = new SignIn({ knowledge, passes, codes: new SignInCodes(random), site, random });
  const sockets = new Sockets({ knowledge, agent, screens, consoleOrigin: config.consoleOrigin });
  const bridge = new Bridge({ knowledge, doors: sockets.doors, random });
  const lines = new Lines({
    knowledge,
    doors: sockets.doors,
    cut: (clients) => agent.cutClients(clients),
    httpsPort: config.ports.https,
    log,
  });
  const sshDoors = new SshDoors({ knowledge, agent, mayDial });
  const ssh = sshServer(sshDoors, log);
  const authorizer = new Authorizer({
    knowledge,
    passes,
    basicAuth,
    bridge: (ticket) => bridge.admit(ticket),
    lines,
    mayDial,
    site,
    signIn,
    onBadAddress: ({ id, address4 }) =>
      log.error({ instanceId: id, address: address4 }, 'an address outside the pools'),
  });
  const server = edgeServer({
    authorizer,
    knowledge,
    signIn,
    sockets,
    thumbnails: new Thumbnails(screens, now),
    site,
    wildcards: new Wildcards(knowledge, site, options.edgeKey),
    health: () => ({
      status: 'ok',
      knowledge: feed.live ? 'live' : state.confirmedAt === 0 ? 'none' : 'remembered',
      ...state.counts(),
      ...sockets.counts(),
      bridged: bridge.size,
      lines: lines.size,
      ssh: sshDoors.size,
    }),
    log,
  });
  // The bridge first: whoever is told to use it finds it.
  for (const [listener, socket] of [
    [bridge.server, config.bridgeSocket],
    ...(config.sshSocket === undefined ? [] : ([[ssh, config.sshSocket]] as const)),
    [server, config.socket],
  ] as const) {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(socket, resolve);
    });
  }
  return {
    server,
    state,
    feed,
    stop: async () => {
      clearInterval(countryTimer);
      const closed = new Promise((resolve) => server.close(resolve));
      sockets.stop();
      lines.stop();
      sshDoors.stop();
      ssh.close();
      setTimeout(() => ssh.closeAllConnections(), 500).unref();
      const bridgeClosed = bridge.stop();
      server.closeIdleConnections();
      await keeper.stop();
      await feed.stop();
      setTimeout(() => server.closeAllConnections(), 1_000).unref();
      await Promise.all([closed, bridgeClosed]);
    },
  };
}
