/** What the supervisor needs to know about one process. `up` writes these to processes.json; plain data, no code. */
export const processNames = [
  'lxcfs',
  'incusd',
  'postgres',
  'agent',
  'resolver',
  'server',
  'edge',
  'caddy',
  'ssh-gateway',
] as const;
export type ProcessName = (typeof processNames)[number];

export type ProcessUser = { uid: number; gid: number; groups: number[]; name: string };

export type HealthProbe =
  /** `GET path` over a unix socket answers 2xx. */
  | { type: 'http'; socket: string; path: string }
  /** Something accepts connections on a unix socket. */
  | { type: 'socket'; socket: string }
  /** A file or folder can be read (a FUSE mount that is alive). */
  | { type: 'path'; path: string }
  | { type: 'none' };

export type ProcessSpec = {
  name: string;
  argv: [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  /** null: as the supervisor itself. */
  user: ProcessUser | null;
  /** Linux capabilities (without `cap_`) an unprivileged process keeps; an empty list keeps none. */
  capabilities: string[];
  umask: number;
  stopSignal: 'SIGTERM' | 'SIGINT';
  stopTimeoutMs: number;
  /** Before each start: clear a dead server's lock files, or detach a dead mount. */
  prepare: { type: 'postgres'; dataDir: string; socketDir: string } | { type: 'unmount'; path: string } | null;
  /** Changes whenever the program or its configuration changes; a running process with another one is restarted. */
  fingerprint: string;
  health: HealthProbe;
  /** Belongs to the machine (the engine): started only while its probe does not answer, never stopped or restarted. */
  shared: boolean;
  logFile: string;
};

export type SupervisorFile = { version: 1; pidDir: string; controlSocket: string; processes: ProcessSpec[] };

export type ProcessState = 'running' | 'starting' | 'waiting' | 'stopping' | 'stopped' | 'machine';

export type ProcessStatus = {
  name: string;
  state: ProcessState;
  pid: number | null;
  /** Unix time in milliseconds. */
  startedAt: number | null;
  restarts: number;
  /** Taken over from a supervisor before this one. */
  adopted: boolean;
  lastExit: string | null;
  /** Milliseconds until the next start while waiting. */
  nextStartInMs: number | null;
  fingerprint: string;
};

export type SupervisorStatus = { pid: number; startedAt: number; code: string; processes: ProcessStatus[] };
