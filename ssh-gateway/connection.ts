/** One connection of a client, from its first packet to its end. */
import type { Socket } from 'node:net';
import type { Client, Connection } from 'ssh2';
import type { SshSessionId } from '#domain/ids.ts';
import { SSH_ALONE_SECONDS_MAX } from '#domain/ssh.ts';
import { Channels, type Upstream } from './channels.ts';
import type { Admission, EdgeClient } from './edge-client.ts';
import { type LoggedIn, Login } from './login.ts';
import type { Recorder } from './recording.ts';
import type { Counted, Reports } from './reports.ts';
import type { SignIn, Client as Whence } from './sign-in.ts';
import { connectUpstream, UpstreamRefused } from './upstream.ts';
import { serveBothOutputs } from './windows.ts';

const ASK_AGAIN_MS = 1_000;
const SAY_MS = 300;
/** A session of the server ends after two hours without use. */
const TOUCH_MS = 20 * 60_000;
const PROGRAM_LENGTH_MAX = 100;

export type ConnectionParts = {
  edge: EdgeClient;
  signIn: SignIn;
  reports: Reports;
  log: { info(fields: object, message: string): void };
  now(): Date;
  recorder: Recorder;
  upstreamPort?: number | undefined;
};

type Entered = Extract<Admission, { entered: unknown }>;

export class SshConnection {
  readonly #o: ConnectionParts;
  readonly #down: Connection;
  readonly #socket: Socket;
  readonly session: SshSessionId;
  readonly #client: Whence;
  #admission: Entered | null = null;
  #loggedIn: LoggedIn | null = null;
  #upstream: Client | null = null;
  #channels: Channels | null = null;
  #reason: string | null = null;
  #ended = false;
  #touching: NodeJS.Timeout | null = null;

  constructor(
    down: Connection,
    socket: Socket,
    identity: { session: SshSessionId; address: string; program: string },
    parts: ConnectionParts,
    on: { handshake: () => void; signedIn: () => void },
  ) {
    this.#o = parts;
    this.#down = down;
    this.#socket = socket;
    this.session = identity.session;
    const program = identity.program.replace(/[^\x20-\x7e]/g, '').slice(0, PROGRAM_LENGTH_MAX);
    this.#client = { address: identity.address, program: program === '' ? 'unknown' : program };
    const login = new Login(
      { edge: parts.edge, signIn: parts.signIn, reports: parts.reports, session: this.session, client: this.#client },
      (loggedIn) => {
        this.#loggedIn = loggedIn;
        if (this.#ended && 'entered' in loggedIn.admission) loggedIn.admission.leave();
      },
      (reason) => this.end(reason),
    );
    serveBothOutputs(down);
    down.on('authentication', (context) => login.handle(context));
    down.on('handshake', () => on.handshake());
    down.on('ready', () => {
      on.signedIn();
      this.#ready();
    });
    down.on('error', () => {});
    socket.once('close', () => this.#closed());
  }

  /** Null before somebody is in. */
  get counted(): Counted | null {
    if (this.#admission === null || this.#ended) return null;
    return { session: this.session, bytesIn: this.#socket.bytesRead, bytesOut: this.#socket.bytesWritten };
  }

  /** Ends it; what is open hears why. */
  end(reason: string): void {
    this.#reason ??= reason;
    this.#channels?.say(`Berth: ${reason}`);
    setTimeout(
      () => {
        this.#down.end();
        setTimeout(() => this.#socket.destroy(), SAY_MS).unref();
      },
      this.#channels === null ? 0 : 20,
    ).unref();
  }

  #ready(): void {
    const loggedIn = this.#loggedIn;
    if (loggedIn === null) {
      this.end('not signed in');
      return;
    }
    const { admission, proof } = loggedIn;
    if ('factor' in admission) {
      this.end('not signed in');
      return;
    }
    if ('refused' in admission) {
      this.#reason = admission.refused.reason;
      this.#channels = new Channels(this.#down, Promise.resolve({ refused: admission.refused.reason }), []);
      return;
    }
    this.#admission = admission;
    const { entered } = admission;
    this.#o.reports.tell({
      call: 'begin',
      body: {
        session: this.session,
        user: entered.user.id,
        instance: entered.instance.id,
        method: proof.by,
        fingerprint: loggedIn.fingerprint,
        ...{ address: this.#client.address, client: this.#client.program },
        startedAt: this.#o.now().toISOString(),
      },
    });
    if (proof.by === 'password') this.#touching = setInterval(() => void this.#touch(proof), TOUCH_MS).unref();
    this.#channels = new Channels(this.#down, this.#connect(admission), [loggedIn.user, entered.instance.name], {
      ...this.#o.recorder,
      state: entered.recording,
      session: this.session,
      title: `${entered.user.email} at ${entered.instance.name}`,
    });
    this.#watch(admission);
  }

  #connect({ entered }: Entered): Upstream {
    const sign = (data: Buffer) =>
      this.#o.edge.sign({ lease: this.#admission?.entered.lease ?? '', data: data.toString('base64') });
    return connectUpstream(entered, sign, this.#o.upstreamPort).then(
      (client) => {
        this.#upstream = client;
        if (this.#ended) client.end();
        client.once('close', () => {
          // What the server still said is on its way to the client.
          if (!this.#ended) setTimeout(() => this.end('The server ended the connection.'), SAY_MS).unref();
        });
        return client;
      },
      (error: unknown) => {
        const refused = error instanceof UpstreamRefused ? error : new UpstreamRefused('The server does not answer.');
        this.#reason = refused.message;
        if (refused.hostKey !== null) {
          this.#o.reports.tell({ call: 'hostKey', body: { instance: entered.instance.id, key: refused.hostKey } });
        }
        return { refused: refused.message };
      },
    );
  }

  /** Ends with the admission. While edge is away it goes on for a moment, asking again. */
  #watch(admission: Entered): void {
    void admission.lost.then(async (reason) => {
      if (this.#ended) return;
      if (reason !== null) return this.end(reason);
      const until = this.#o.now().getTime() + SSH_ALONE_SECONDS_MAX * 1000;
      while (!this.#ended && this.#o.now().getTime() < until) {
        const again = await this.#askAgain();
        if (again !== null && 'refused' in again) return this.end(again.refused.reason);
        if (again !== null && 'factor' in again) return this.end('The second factor is asked for again.');
        if (again !== null) {
          this.#admission = again;
          if (this.#ended) return again.leave();
          return this.#watch(again);
        }
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS).unref());
      }
      this.end('Berth cannot check any more whether you may be here.');
    });
  }

  async #askAgain(): Promise<Admission | null> {
    const loggedIn = this.#loggedIn;
    if (loggedIn === null) return null;
    const { user, proof } = loggedIn;
    return this.#o.edge.enter({ session: this.session, user, proof }).catch(() => null);
  }

  async #touch(proof: Extract<LoggedIn['proof'], { by: 'password' }>): Promise<void> {
    proof.secret = await this.#o.signIn.touch(this.#client, proof.secret).catch(() => proof.secret);
  }

  #closed(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#touching !== null) clearInterval(this.#touching);
    this.#upstream?.end();
    const loggedIn = this.#loggedIn;
    if (loggedIn?.proof.by === 'password') {
      this.#o.signIn.signOut(this.#client, loggedIn.proof.secret).catch(() => {});
    }
    const held = this.#admission ?? (loggedIn !== null && 'entered' in loggedIn.admission ? loggedIn.admission : null);
    held?.leave();
    if (this.#admission === null) return;
    this.#o.reports.tell({
      call: 'end',
      body: {
        session: this.session,
        reason: (this.#reason ?? 'The client left.').slice(0, 200),
        bytesIn: this.#socket.bytesRead,
        bytesOut: this.#socket.bytesWritten,
        endedAt: this.#o.now().toISOString(),
      },
    });
  }
}
