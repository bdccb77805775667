/** `berth up` as people call it: progress on stderr, the result on stdout. */
import { Checklist, seconds } from '../checklist.ts';
import { Foreground } from '../foreground.ts';
import { parseUp } from '../options.ts';
import { type UpResult, up } from '../up.ts';

export async function upCommand(args: readonly string[]): Promise<number> {
  const started = Date.now();
  const options = parseUp(args);
  const list = new Checklist();
  const foreground = options.detach ? null : new Foreground(list);
  let result: UpResult;
  try {
    ({ result } = await up(options, list, foreground === null ? null : (layout) => foreground.start(layout, false)));
  } catch (error) {
    await foreground?.stop();
    throw error;
  }
  list.line(`Ready after ${seconds(Date.now() - started)}.`);
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : summary(result));
  if (foreground === null || !foreground.here) return 0;
  list.line('Running in the foreground; Ctrl-C stops Berth. (--detach puts it into the background.)');
  await foreground.wait();
  return 0;
}

function summary(result: UpResult): string {
  const lines = ['', `  Console      ${result.consoleUrl}`, `  CA to trust  ${result.caCertificate}`];
  if (result.setupCode !== null) lines.push(`  Set-up code  ${result.setupCode}   (creates the owner, once)`);
  if (result.demo !== undefined) lines.push(`  Demo owner   ${result.demo.email}   password ${result.demo.password}`);
  return `${lines.join('\n')}\n\n`;
}
