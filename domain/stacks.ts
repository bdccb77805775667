/** Stacks (Docker Compose projects) and containers inside a server: names, places, words, and what Docker's text means. */

/** Where stacks made here live; those started by hand are wherever their person put them. */
export const STACKS_FOLDER = '/srv/stacks';
export const STACK_FILE = 'compose.yaml';
export const STACK_NAME_LENGTH_MAX = 63;
export const STACK_TEXT_BYTES_MAX = 128 * 1024;
export const STACKS_LISTED_MAX = 100;
export const CONTAINERS_LISTED_MAX = 200;
/** How long a container may take to stop before it is killed. */
export const CONTAINER_STOP_SECONDS = 10;
/** Lines of `docker compose config` that are shown. */
export const STACK_PROBLEMS_MAX = 20;

export const stackVerbs = ['up', 'down', 'restart', 'pull'] as const;
export type StackVerb = (typeof stackVerbs)[number];

export const containerActions = ['start', 'stop', 'restart'] as const;
export type ContainerAction = (typeof containerActions)[number];

/** In the order in which they are removed: what is gone uses nothing any more. */
export const cleanParts = ['containers', 'networks', 'images', 'cache', 'volumes'] as const;
export type CleanPart = (typeof cleanParts)[number];

/** `asleep`: started by its first use. `stopped`: somebody switched it off, or it failed. `missing`: not installed. */
export const dockerStates = ['running', 'asleep', 'stopped', 'missing'] as const;
export type DockerState = (typeof dockerStates)[number];

/** What Docker itself says of a container. */
export type Container = {
  id: string;
  name: string;
  image: string;
  /** 'running', 'exited', ... */
  state: string;
  /** 'Up 2 hours (healthy)' */
  status: string;
  /** As `docker ps` writes them. */
  ports: string;
  /** Name of its stack, and of its service there; empty when it belongs to none. */
  stack: string;
  service: string;
};

/** What a running container uses now; `cpuPercent` is of one processor. */
export type ContainerUse = {
  id: string;
  cpuPercent: number;
  memoryBytes: number;
  memoryLimitBytes: number | null;
  processes: number;
};

/** What Docker keeps inside a server; empty while it does not run. */
export type DockerUse = {
  state: DockerState;
  parts: { part: CleanPart; count: number; unused: number; bytes: number; reclaimableBytes: number }[];
};

export const stackStates = ['running', 'partly', 'stopped', 'down'] as const;
/** `down`: there is no container of it. */
export type StackState = (typeof stackStates)[number];

/** A stack as it is found inside. */
export type Stack = {
  name: string;
  state: StackState;
  /** Of the first compose file; null when nobody knows any more where it is. */
  file: string | null;
  /** Lives where stacks made here live. */
  managed: boolean;
};

/** Why `name` is no name of a stack; null when it is one. Docker's own rule for project names, and a length. */
export function stackNameProblem(name: string): string | null {
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) {
    return 'A name has lower-case letters, digits, - and _, and begins with a letter or digit.';
  }
  return name.length > STACK_NAME_LENGTH_MAX ? `A name has at most ${STACK_NAME_LENGTH_MAX} characters.` : null;
}

export function stackFolder(name: string): string {
  return `${STACKS_FOLDER}/${name}`;
}

export function stackFile(name: string): string {
  return `${stackFolder(name)}/${STACK_FILE}`;
}

/** One word for all containers of a stack. Those that did their work and ended well do not make it partly running. */
export function stackState(containers: readonly Pick<Container, 'state' | 'status'>[]): StackState {
  if (containers.length === 0) return 'down';
  const running = containers.filter(({ state }) => state === 'running').length;
  if (running === 0) return 'stopped';
  const done = containers.filter(({ state, status }) => state === 'exited' && status.startsWith('Exited (0)')).length;
  return running + done === containers.length ? 'running' : 'partly';
}

export type PublishedPort = { port: number; to: number; protocol: 'tcp' | 'udp'; local: boolean };

/**
 * '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 9000/tcp' -> what is reachable from outside the container, once each.
 * `local`: only from inside the server. Ranges ('8000-8002->80-82/tcp') become their ports, at most 100.
 */
export function publishedPorts(text: string): PublishedPort[] {
  const found = new Map<string, PublishedPort>();
  for (const part of text.split(', ')) {
    const match = /^(.*):(\d+)(?:-(\d+))?->(\d+)(?:-\d+)?\/(tcp|udp)$/.exec(part.trim());
    if (match === null) continue;
    const [, address = '', first = '', last, to = '', protocol = 'tcp'] = match;
    const local = address === '127.0.0.1' || address === '[::1]' || address === '::1';
    const until = Math.min(Number(last ?? first), Number(first) + 99);
    for (let port = Number(first); port <= until; port++) {
      const key = `${protocol}/${port}`;
      const before = found.get(key);
      found.set(key, {
        port,
        to: Number(to) + port - Number(first),
        protocol: protocol as 'tcp' | 'udp',
        local: local && (before?.local ?? true),
      });
    }
  }
  return [...found.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

const units: Record<string, number> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** '1.25GB' or '12.5MiB', as Docker writes them, in bytes; 0 for what is none. */
export function dockerBytes(text: string): number {
  const match = /^([\d.]+)\s*([kmgt]i?)?b$/i.exec(text.trim());
  if (match === null) return 0;
  const bytes = Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1);
  return Number.isFinite(bytes) ? Math.round(bytes) : 0;
}

/** What one `docker ... prune` says it freed. */
export function reclaimedBytes(output: string): number {
  const total = /^Total(?: reclaimed space)?:\s*(\S+)\s*$/m.exec(output);
  return total === null ? 0 : dockerBytes(total[1] ?? '');
}

export type StackProblem = { line: number | null; message: string };

/**
 * What is wrong, out of what `docker compose config` says, with the line where that can be told: from the message when
 * YAML itself is wrong, else from the place in the file that the message names.
 */
export function stackProblems(text: string, said: string): StackProblem[] {
  const problems: StackProblem[] = [];
  for (const raw of said.split('\n')) {
    const line = raw.trim();
    // Warnings, such as a variable without value, keep nothing from starting.
    if (
      line === '' ||
      /^time="[^"]*" level=(?:warning|info|debug) /.test(line) ||
      /^yaml: (?:unmarshal errors|construct errors):$/.test(line)
    )
      continue;
    const message = line
      .replace(/^(?:parsing|validating) \S+: /, '')
      .replace(/^yaml: /, '')
      .replace(/: invalid compose project$/, '');
    if (/^(?:yaml: )?(?:unmarshal|construct) errors:$/.test(message)) continue;
    // The line stands beside it.
    const what = message.replace(/^line \d+: /, '').slice(0, 500);
    problems.push({ line: lineNamed(text, message), message: what });
    if (problems.length >= STACK_PROBLEMS_MAX) break;
  }
  return problems;
}

function lineNamed(text: string, message: string): number | null {
  const said = /\bline (\d+)/.exec(message);
  if (said !== null) return Math.min(Number(said[1]), text.split('\n').length);
  const unknown = /dditional propert(?:y|ies) '?([\w.-]+)'? (?:is |are )?not allowed/.exec(message)?.[1];
  const place = /\b((?:services|networks|volumes|secrets|configs)(?:\.[\w-]+)+)/.exec(message)?.[1]?.split('.');
  const service = /\bservice "([\w.-]+)"/.exec(message)?.[1];
  const path = place ?? (service === undefined ? [] : ['services', service]);
  if (unknown !== undefined) return lineOf(text, [...path, unknown]) ?? lineOf(text, path);
  return path.length === 0 ? null : lineOf(text, path);
}

/** Line (from 1) of the key at `path` in block YAML, or of the deepest part of it that is found. */
export function lineOf(text: string, path: readonly string[]): number | null {
  const lines = text.split('\n');
  let from = 0;
  let indent = -1;
  let found: number | null = null;
  for (const key of path) {
    let at = -1;
    let deep: number | null = null;
    for (let index = from; index < lines.length; index++) {
      const match = /^(\s*)(?:- )?(?:"([^"]*)"|'([^']*)'|([^\s#:'"][^:#]*?))\s*:(?:\s|$)/.exec(lines[index] ?? '');
      if (match === null) continue;
      const depth = (match[1] ?? '').length;
      if (depth <= indent) break;
      deep ??= depth;
      if (depth === deep && (match[2] ?? match[3] ?? match[4]) === key) {
        at = index;
        indent = depth;
        break;
      }
    }
    if (at === -1) return found;
    found = at + 1;
    from = at + 1;
  }
  return found;
}
