/**
 * Terminals that outlive their browser tab: the shell's WebSocket to the agent belongs to a terminal session here,
 * which keeps the last output and lets the same person attach again for a while after the tab is gone.
 */
import type { WebSocket } from 'ws';
import {
  closeCodes,
  TERMINAL_DETACHED_SECONDS_MAX,
  TERMINAL_SCROLLBACK_BYTES_MAX,
  terminalClientMessage,
} from '#contract/edge.ts';
import type { AgentClient } from './agent.ts';
import { shut } from './doors.ts';

export const TERMINALS_PER_USER_MAX = 16;
export const TERMINALS_PER_INSTANCE_MAX = 16;
export const TERMINALS_MAX = 400;
const HIGH_BYTES = 1024 * 1024;
const LOW_BYTES = 128 * 1024;
/** Typed bytes waiting for the shell to open. */
const EARLY_BYTES_MAX = 64 * 1024;

/** The last bytes of an output, bounded. */
export class Scrollback {
  #chunks: Buffer[] = [];
  #length = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length > this.#max && this.#chunks.length > 1) this.#length -= this.#chunks.shift()!.length;
    if (this.#length > this.#max) {
      this.#chunks = [Buffer.from(this.#chunks[0]!.subarray(this.#length - this.#max))];
      this.#length = this.#max;
    }
  }

  /** Everything kept; when the beginning is lost it starts at a whole line, never inside a control sequence. */
  read(): Buffer {
    const all = Buffer.concat(this.#chunks);
    // One chunk is kept whole: compact now, so that many small ones do not pile up as objects.
    this.#chunks = all.length === 0 ? [] : [all];
    if (this.#length < this.#max - 64 * 1024) return all;
    const line = all.indexOf(10);
    return line === -1 ? all : all.subarray(line + 1);
  }
}

export type TerminalRequest = {
  session: string;
  userId: string;
  instanceId: string;
  /** User inside the machine. */
  as: 'berth' | 'root';
  cols: number;
  rows: number;
};

type Terminal = {
  request: TerminalRequest;
  shell: WebSocket;
  scrollback: Scrollback;
  viewer: WebSocket | null;
  detachedTimer: NodeJS.Timeout | null;
  early: { data: Buffer | string; bytes: number }[];
  size: { cols: number; rows: number };
};

export class Terminals {
  readonly #agent: Pick<AgentClient, 'terminal'>;
  readonly #detachedMs: number;
  readonly #terminals = new Map<string, Terminal>();

  constructor(agent: Pick<AgentClient, 'terminal'>, detachedMs: number = TERMINAL_DETACHED_SECONDS_MAX * 1000) {
    this.#agent = agent;
    this.#detachedMs = detachedMs;
  }

  get size(): number {
    return this.#terminals.size;
  }

  /** Attaches a decided and registered socket to its session, which is made when it is not there. */
  attach(viewer: WebSocket, request: TerminalRequest): void {
    const key = `${request.userId} ${request.instanceId} ${request.as} ${request.session}`;
    const found = this.#terminals.get(key);
    const terminal = found ?? this.#begin(key, request, viewer);
    if (terminal === null) return;
    if (terminal.viewer !== null) shut(terminal.viewer, closeCodes.replaced, 'Opened in another window.');
    if (terminal.detachedTimer !== null) clearTimeout(terminal.detachedTimer);
    terminal.detachedTimer = null;
    terminal.viewer = viewer;
    terminal.shell.resume();
    viewer.send(
      JSON.stringify({ type: 'ready', session: request.session, user: request.as, resumed: found !== undefined }),
    );
    if (found !== undefined) {
      const old = terminal.scrollback.read();
      if (old.length > 0) viewer.send(old);
      this.#resize(terminal, request.cols, request.rows);
    }
    viewer.on('message', (data, isBinary) => {
      if (terminal.viewer !== viewer) return;
      if (isBinary) this.#type(terminal, data as Buffer);
      else this.#control(terminal, viewer, (data as Buffer).toString('utf8'));
    });
    viewer.on('close', () => {
      if (terminal.viewer !== viewer) return;
      terminal.viewer = null;
      terminal.shell.resume();
      terminal.detachedTimer = setTimeout(() => this.#end(key, terminal), this.#detachedMs);
      terminal.detachedTimer.unref();
    });
  }

  #begin(key: string, request: TerminalRequest, viewer: WebSocket): Terminal | null {
    let ofUser = 0;
    let ofInstance = 0;
    for (const { request: other } of this.#terminals.values()) {
      if (other.userId === request.userId) ofUser++;
      if (other.instanceId === request.instanceId) ofInstance++;
    }
    if (
      this.#terminals.size >= TERMINALS_MAX ||
      ofUser >= TERMINALS_PER_USER_MAX ||
      ofInstance >= TERMINALS_PER_INSTANCE_MAX
    ) {
      viewer.send(JSON.stringify({ type: 'error', message: 'Too many terminals are open. Close some (type exit).' }));
      shut(viewer, closeCodes.tooMany, 'Too many terminals are open.');
      return null;
    }
    const shell = this.#agent.terminal(request.instanceId, request.as, request.cols, request.rows);
    const terminal: Terminal = {
      request,
      shell,
      scrollback: new Scrollback(TERMINAL_SCROLLBACK_BYTES_MAX),
      viewer: null,
      detachedTimer: null,
      early: [],
      size: { cols: request.cols, rows: request.rows },
    };
    this.#terminals.set(key, terminal);
    shell.on('open', () => {
      for (const { data } of terminal.early.splice(0)) shell.send(data);
    });
    shell.on('message', (data, isBinary) => {
      if (isBinary) this.#show(terminal, data as Buffer);
      else terminal.viewer?.send((data as Buffer).toString('utf8'));
    });
    let problem: string | null = null;
    shell.on('error', (error) => {
      problem = `The terminal could not be opened: ${error.message}`;
    });
    shell.on('close', (code) => {
      const current = terminal.viewer;
      this.#end(key, terminal);
      if (current === null) return;
      if (code === 1000) return shut(current, 1000, 'The shell has ended.');
      const message = problem ?? (code === 4409 ? 'It does not run.' : 'The connection to the machine was lost.');
      if (current.readyState === current.OPEN) current.send(JSON.stringify({ type: 'error', message }));
      shut(current, code === 4409 ? closeCodes.notRunning : closeCodes.upstream, message.slice(0, 120));
    });
    return terminal;
  }

  #show(terminal: Terminal, chunk: Buffer): void {
    terminal.scrollback.add(chunk);
    const { viewer, shell } = terminal;
    if (viewer === null || viewer.readyState !== viewer.OPEN) return;
    viewer.send(chunk, () => {
      if (shell.isPaused && viewer.bufferedAmount < LOW_BYTES) shell.resume();
    });
    if (viewer.bufferedAmount > HIGH_BYTES) shell.pause();
  }

  #type(terminal: Terminal, data: Buffer | string): void {
    const { shell, early } = terminal;
    if (shell.readyState === shell.OPEN) {
      shell.send(data);
      return;
    }
    const bytes = Buffer.byteLength(data);
    const waiting = early.reduce((sum, entry) => sum + entry.bytes, 0);
    if (shell.readyState === shell.CONNECTING && waiting + bytes <= EARLY_BYTES_MAX) early.push({ data, bytes });
  }

  #control(terminal: Terminal, viewer: WebSocket, text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = null;
    }
    const message = terminalClientMessage.safeParse(value);
    if (message.success) this.#resize(terminal, message.data.cols, message.data.rows);
    else shut(viewer, 1008, 'Not a terminal message.');
  }

  #resize(terminal: Terminal, cols: number, rows: number): void {
    if (terminal.size.cols === cols && terminal.size.rows === rows) return;
    terminal.size = { cols, rows };
    this.#type(terminal, JSON.stringify({ type: 'resize', cols, rows }));
  }

  #end(key: string, terminal: Terminal): void {
    if (this.#terminals.get(key) === terminal) this.#terminals.delete(key);
    if (terminal.detachedTimer !== null) clearTimeout(terminal.detachedTimer);
    terminal.viewer = null;
    terminal.shell.terminate();
  }

  /** Ends the sessions for which `keep` says no: people who left, machines that stopped. */
  sweep(keep: (request: TerminalRequest) => boolean): void {
    for (const [key, terminal] of this.#terminals) if (!keep(terminal.request)) this.#end(key, terminal);
  }

  stop(): void {
    for (const [key, terminal] of this.#terminals) this.#end(key, terminal);
  }
}
