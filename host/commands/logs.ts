import { installed } from '../installed.ts';
import { logNames, showLogs } from '../logs.ts';
import { dataDirOf, parse, UsageError } from '../options.ts';

export async function logsCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(
    args,
    {
      'data-dir': { type: 'string' },
      follow: { type: 'boolean', short: 'f', default: false },
      lines: { type: 'string', short: 'n', default: '50' },
      json: { type: 'boolean', default: false },
    },
    true,
  );
  const { layout } = installed(dataDirOf(values['data-dir'] as string | undefined));
  const known = logNames(layout.logs);
  const wanted = positionals.length === 0 ? known : positionals;
  const strange = wanted.find((name) => !known.includes(name));
  if (strange !== undefined) throw new UsageError(`there is no log of ${strange}; there are: ${known.join(', ')}`);
  const lines = Number(values.lines);
  if (!Number.isInteger(lines) || lines < 0) throw new UsageError('-n wants a number of lines');
  const follow = values.follow === true;
  process.stdout.on('error', () => process.exit(0));
  showLogs(layout.logs, wanted, lines, follow, (line) => process.stdout.write(`${line}\n`), values.json === true);
  if (follow) await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
  if (follow) process.exit(0);
  return 0;
}
