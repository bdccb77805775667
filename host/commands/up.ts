/** `berth up` as people call it: progress on stderr, the result on stdout. */
import { Checklist, seconds } from '../checklist.ts';
import type { Layout } from '../layout.ts';
import { parseUp } from '../options.ts';
import { supervisorStatus } from '../supervisor-client.ts';
import { type RunningSupervisor, supervise } from '../supervisor-main.ts';
import { supervisorCode, type UpResult, up } from '../up.ts';

export async function upCommand(args: readonly string[]): Promise<number> {
  const started = Date.now();
  const options = parseUp(args);
  const list = new Checklist();
  let foreground: RunningSupervisor | null = null;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const inProcess = async (layout: Layout) => {
    if ((await supervisorStatus(layout)) !== null) {
      list.line('    Berth runs in the background already and is left there.');
      return;
    }
    foreground = await supervise(layout.processes, supervisorCode(), end);
  };
  let interrupted = false;
  const stop = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    list.line('\nStopping Berth; instances keep running. (Ctrl-C again: leave at once.)');
    const running = foreground as RunningSupervisor | null;
    if (running === null) process.exit(130);
    void running.supervisor.stopAll().then(() => end());
  };
  if (!options.detach) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const { result } = await up(options, list, options.detach ? null : inProcess);
  list.line(`Ready after ${seconds(Date.now() - started)}.`);
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : summary(result));
  const running = foreground as RunningSupervisor | null;
  if (running === null) return 0;
  list.line('Running in the foreground; Ctrl-C stops Berth. (--detach puts it into the background.)');
  await ended;
  await running.close();
  return 0;
}

function summary(result: UpResult): string {
  const lines = ['', `  Console      ${result.consoleUrl}`, `  CA to trust  ${result.caCertificate}`];
  if (result.setupCode !== null) lines.push(`  Set-up code  ${result.setupCode}   (creates the owner, once)`);
  if (result.demo !== undefined) lines.push(`  Demo owner   ${result.demo.email}   password ${result.demo.password}`);
  return `${lines.join('\n')}\n\n`;
}
