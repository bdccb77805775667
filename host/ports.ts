/** Are the ports free, and if not: who has them. */
import { createServer } from 'node:net';
import { run } from './run.ts';

export type Culprit = { port: number; program: string; pid: number | null };

/** Program and pid per listening TCP port out of `ss -Hltnp`. */
export function parseListeners(text: string): Map<number, { program: string; pid: number | null }> {
  const found = new Map<number, { program: string; pid: number | null }>();
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/);
    const portNumber = Number(/:(\d+)$/.exec(columns[3] ?? '')?.[1]);
    if (!Number.isInteger(portNumber) || portNumber === 0) continue;
    const owner = /users:\(\("([^"]+)",pid=(\d+)/.exec(line);
    if (owner === null && found.has(portNumber)) continue;
    found.set(portNumber, { program: owner?.[1] ?? 'another program', pid: owner === null ? null : Number(owner[2]) });
  }
  return found;
}

/** Who listens on any of these ports, leaving out the processes `ours`. */
export async function portCulprits(ports: readonly number[], ours: ReadonlySet<number>): Promise<Culprit[]> {
  const { stdout } = await run(['ss', '-Hltnp'], { timeoutMs: 10_000 });
  const listeners = parseListeners(stdout);
  const culprits: Culprit[] = [];
  for (const port of ports) {
    const owner = listeners.get(port);
    if (owner !== undefined) {
      if (owner.pid === null || !ours.has(owner.pid)) culprits.push({ port, ...owner });
    } else if (!(await canListen(port))) culprits.push({ port, program: 'another program', pid: null });
  }
  return culprits;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** "port 443 is used by nginx (pid 812)". */
export function describeCulprit(culprit: Culprit): string {
  return `port ${culprit.port} is used by ${culprit.program}${culprit.pid === null ? '' : ` (pid ${culprit.pid})`}`;
}
