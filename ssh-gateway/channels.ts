/**
 * What a signed-in client may open: shells, commands, subsystems (sftp), forwarded connections. Each is the same thing at
 * the server and is opened by its sshd, in its network; nothing ever runs or connects on the gateway's own machine.
 */

import type { Channel, Client, Connection, PseudoTtyInfo, ServerChannel, Session, WindowChangeInfo } from 'ssh2';
import type { SshSessionId } from '#domain/ids.ts';
import {
  passesEnvironment,
  SSH_CHANNELS_MAX,
  SSH_ENVIRONMENT_BYTES_MAX,
  SSH_ENVIRONMENT_MAX,
  SSH_REMOTE_FORWARDS_MAX,
} from '#domain/ssh.ts';
import { SSH_RECORDED_WORDS, type SshRecordingState } from '#domain/ssh-recordings.ts';
import { NotRecorded, type Recorder, Recording } from './recording.ts';
import { relayForward, relaySession } from './relay.ts';

/** What ssh says when it could not do what was asked. */
const EXIT_FAILED = 255;
const NAME_LENGTH_MAX = 32_768;

/** Sessions that open a terminal are recorded, or there are none. */
export type ToRecord = Recorder & { state: SshRecordingState; session: SshSessionId; title: string };

const FULL =
  'Sessions at this server have to be recorded, and its organization has no room left for recordings. ' +
  'Somebody who manages it has to delete some. Commands without a terminal still work.';

/** The server's end, or words why there is none. */
export type Upstream = Promise<Client | { refused: string }>;

export class Channels {
  readonly #down: Connection;
  readonly #upstream: Upstream;
  /** Names under which the server itself is meant: `ssh -J gateway web` forwards to "web". */
  readonly #ownNames: ReadonlySet<string>;
  readonly #record: ToRecord | null;
  readonly #open = new Set<ServerChannel>();
  #count = 0;
  #remote = 0;

  constructor(down: Connection, upstream: Upstream, ownNames: readonly string[], record: ToRecord | null = null) {
    this.#record = record;
    this.#down = down;
    this.#upstream = upstream;
    this.#ownNames = new Set(ownNames.map((name) => name.toLowerCase()));
    down.on('session', (accept, reject) => {
      if (!this.#take()) return reject();
      this.#session(accept());
    });
    down.on('tcpip', (accept, reject, info) => {
      const host = this.#ownNames.has(info.destIP.toLowerCase()) ? '127.0.0.1' : info.destIP;
      this.#forward(accept, reject, (up, done) => up.forwardOut(info.srcIP, info.srcPort, host, info.destPort, done));
    });
    down.on('openssh.streamlocal', (accept, reject, info) => {
      this.#forward(accept as () => Channel, reject, (up, done) =>
        up.openssh_forwardOutStreamLocal(info.socketPath, done as never),
      );
    });
    down.on('request', (accept, reject, name, info) => {
      const where = info as { bindAddr: string; bindPort: number };
      if (name === 'tcpip-forward') this.#listen(where, accept, reject);
      else if (name === 'cancel-tcpip-forward') this.#unlisten(where, accept, reject);
      else reject?.();
    });
    void upstream.then((up) => {
      if (!('refused' in up)) this.#accept(up);
    });
  }

  /** Says why on every open shell and command. */
  say(words: string): void {
    for (const channel of this.#open) if (channel.writable) channel.stderr.write(`\r\n${words}\r\n`);
  }

  #take(): boolean {
    if (this.#count >= SSH_CHANNELS_MAX) return false;
    this.#count++;
    return true;
  }

  #session(session: Session): void {
    let pty: (PseudoTtyInfo & { term: string }) | undefined;
    let channel: ServerChannel | null = null;
    let up: Channel | null = null;
    let recording: Recording | null = null;
    const environment: Record<string, string> = {};
    session.on('close', () => {
      this.#count--;
      if (channel !== null) this.#open.delete(channel);
      recording?.end('The session ended.');
    });
    session.on('env', (accept, reject, { key, val }) => {
      const fits =
        passesEnvironment(key) &&
        Buffer.byteLength(val) <= SSH_ENVIRONMENT_BYTES_MAX &&
        Object.keys(environment).length < SSH_ENVIRONMENT_MAX;
      if (fits) environment[key] = val;
      if (fits) accept?.();
      else reject?.();
    });
    session.on('pty', (accept, _reject, info) => {
      pty = info as PseudoTtyInfo & { term: string };
      accept?.();
    });
    session.on('window-change', (accept, _reject, size: WindowChangeInfo) => {
      if (pty !== undefined) Object.assign(pty, size);
      up?.setWindow(size.rows, size.cols, size.height, size.width);
      if (pty !== undefined) recording?.resize(size.cols, size.rows);
      accept?.();
    });
    session.on('signal', (accept, _reject, { name }) => {
      up?.signal(name);
      accept?.();
    });
    // Accepted at once: when the client's end of input is here first, accepting later would answer nothing.
    const start = (
      opened: ServerChannel,
      open: (client: Client, done: (error: Error | undefined, up: Channel) => void) => void,
    ): void => {
      channel = opened;
      this.#open.add(opened);
      // Input waits until somebody reads it.
      opened.pause();
      opened.on('error', () => {});
      this.#upstream.then(
        async (client) => {
          if ('refused' in client) return fail(opened, client.refused);
          const cut = new AbortController();
          try {
            recording = pty === undefined ? null : await this.#begin(opened, pty, cut);
          } catch (error) {
            return fail(opened, error instanceof NotRecorded ? error.message : 'It cannot be recorded.');
          }
          // It left meanwhile.
          if (!this.#open.has(opened)) return recording?.end('The session ended.');
          const recorded = recording;
          const tapped = recorded === null ? null : { tap: () => recorded.tap(), cut: cut.signal };
          open(client, (error, stream) => {
            if (error !== undefined) return fail(opened, 'The server refused it.');
            up = stream;
            relaySession(opened, stream, tapped);
            if (pty !== undefined) stream.setWindow(pty.rows, pty.cols, pty.height, pty.width);
          });
        },
        () => fail(opened, 'The server does not answer.'),
      );
    };
    const options = () => ({
      env: environment as NodeJS.ProcessEnv,
      ...(pty === undefined ? {} : { pty: ptyOptions(pty) }),
    });
    session.on('shell', (accept) =>
      start(accept(), (client, done) =>
        client.shell(pty === undefined ? false : ptyOptions(pty), { env: environment as NodeJS.ProcessEnv }, done),
      ),
    );
    session.on('exec', (accept, reject, { command }) => {
      if (command.length > NAME_LENGTH_MAX) return reject();
      start(accept(), (client, done) => client.exec(command, options(), done));
    });
    session.on('subsystem', (accept, reject, { name }) => {
      if (name.length > 64) return reject();
      start(accept(), (client, done) => client.subsys(name, done));
    });
  }

  /**
   * Begins to record what this terminal shows, and says so first. Null: it is not recorded. When that fails later, `cut`
   * is aborted and the person is told. Errors: NotRecorded.
   */
  async #begin(
    opened: ServerChannel,
    pty: PseudoTtyInfo & { term: string },
    cut: AbortController,
  ): Promise<Recording | null> {
    const record = this.#record;
    if (record === null || record.state === 'off') return null;
    if (record.state === 'full') throw new NotRecorded(FULL);
    const of = { session: record.session, width: pty.cols, height: pty.rows, term: pty.term, title: record.title };
    const recording = await Recording.begin(record, of, (words) => {
      cut.abort();
      fail(opened, `\r\nBerth: ${words}`);
    });
    opened.write(`${SSH_RECORDED_WORDS}\r\n`);
    return recording;
  }

  #forward(
    accept: () => Channel,
    reject: () => void,
    open: (up: Client, done: (error: Error | undefined, up: Channel) => void) => void,
  ): void {
    if (!this.#take()) {
      reject();
      return;
    }
    const free = (): void => {
      this.#count--;
    };
    const refuse = (): void => {
      free();
      reject();
    };
    this.#upstream.then((client) => {
      if ('refused' in client) return refuse();
      open(client, (error, up) => {
        if (error !== undefined) return refuse();
        const down = accept();
        down.once('close', free);
        relayForward(down, up);
      });
    }, refuse);
  }

  #listen(
    { bindAddr, bindPort }: { bindAddr: string; bindPort: number },
    accept: ((port?: number) => void) | undefined,
    reject: (() => void) | undefined,
  ): void {
    if (this.#remote >= SSH_REMOTE_FORWARDS_MAX) {
      reject?.();
      return;
    }
    this.#remote++;
    const refuse = (): void => {
      this.#remote--;
      reject?.();
    };
    this.#upstream.then((client) => {
      if ('refused' in client) return refuse();
      client.forwardIn(bindAddr, bindPort, (error, port) => {
        if (error !== undefined) refuse();
        else accept?.(port);
      });
    }, refuse);
  }

  #unlisten(
    { bindAddr, bindPort }: { bindAddr: string; bindPort: number },
    accept: (() => void) | undefined,
    reject: (() => void) | undefined,
  ): void {
    this.#upstream.then(
      (client) => {
        if ('refused' in client) return reject?.();
        client.unforwardIn(bindAddr, bindPort, (error) => {
          if (error !== undefined) return reject?.();
          this.#remote--;
          accept?.();
        });
      },
      () => reject?.(),
    );
  }

  /** Connections that come in at the server go to the client. */
  #accept(client: Client): void {
    client.on('tcp connection', (info, accept, reject) => {
      if (!this.#take()) return reject();
      this.#down.forwardOut(info.destIP, info.destPort, info.srcIP, info.srcPort, (error, down) => {
        if (error !== undefined) {
          this.#count--;
          return reject();
        }
        down.once('close', () => {
          this.#count--;
        });
        relayForward(down, accept());
      });
    });
  }
}

function ptyOptions({ rows, cols, height, width, term, modes }: PseudoTtyInfo & { term: string }) {
  return { rows, cols, height, width, term, modes } as never;
}

/** Tells the person on the error output and ends what they opened. */
function fail(channel: ServerChannel, words: string): void {
  channel.stderr.write(`${words}\r\n`, () => {
    channel.exit(EXIT_FAILED);
    channel.end();
  });
  channel.resume();
}
