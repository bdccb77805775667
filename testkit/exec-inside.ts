/** Commands inside guests by the engine's own program, past the agent. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { STAYING } from '#agent/incus/exec.ts';

/** Words of the command are not to be seen in the shells around it: what looks for them would find those. */
const HIDDEN = 'eval "exec $(printf %s "$1" | base64 -d)"';
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * `guest`: options and name for `incus exec`. Nothing of what the command says is lost (see STAYING): its end is told by
 * a mark in both streams, and only then its input ends and with it the command. `code` is -1 when it was stopped.
 */
export function execInside(
  guest: readonly string[],
  argv: readonly string[],
  timeoutMs: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const end = randomBytes(16).toString('hex');
  const command = Buffer.from(argv.map(quote).join(' ')).toString('base64');
  const inner = ['sh', '-c', HIDDEN, 'sh', command];
  return new Promise((resolve, reject) => {
    const child = spawn('incus', ['exec', ...guest, '--', 'sh', '-c', STAYING, 'sh', end, ...inner], { env });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        if (said.stdout.includes(end) && said.stderr.includes(end)) child.stdin.end();
      });
    }
    // It may have ended without reading.
    child.stdin.on('error', () => undefined);
    const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      const before = (text: string) => text.split(end, 1)[0] ?? '';
      resolve({ code: code ?? -1, stdout: before(said.stdout), stderr: before(said.stderr) });
    });
  });
}
