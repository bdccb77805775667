/** `berth` for the host itself: up, down, status, logs, doctor, test, dev, version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checklist } from './checklist.ts';
import { HELP, helpOf } from './help.ts';
import { checkout } from './layout.ts';
import { UsageError } from './options.ts';
import { Refusal } from './refusal.ts';

async function main(argv: readonly string[]): Promise<number> {
  const [verb, ...args] = argv;
  const help = verb !== undefined && args.some((each) => each === '--help' || each === '-h') ? helpOf(verb) : null;
  if (help !== null) {
    process.stdout.write(help);
    return 0;
  }
  switch (verb) {
    case 'up':
      return (await import('./commands/up.ts')).upCommand(args);
    case 'down':
      return (await import('./commands/down.ts')).downCommand(args);
    case 'uninstall':
      return (await import('./commands/uninstall.ts')).uninstallCommand(args);
    case 'status':
      return (await import('./commands/status.ts')).statusCommand(args);
    case 'logs':
      return (await import('./commands/logs.ts')).logsCommand(args);
    case 'doctor':
      return (await import('./commands/doctor.ts')).doctorCommand(args);
    case 'ssh-host-key':
      return (await import('./commands/ssh-host-key.ts')).sshHostKeyCommand(args);
    case 'test':
      return (await import('./commands/test.ts')).testCommand(args);
    case 'dev':
      return (await import('./dev.ts')).devCommand(args);
    case 'version':
    case '--version': {
      const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
      process.stdout.write(`${version}\n`);
      return 0;
    }
    case 'help':
    case '--help':
    case '-h':
    case undefined:
      process.stdout.write(HELP);
      return 0;
    default:
      throw new UsageError(`there is no command ${verb}`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const list = new Checklist();
  if (error instanceof UsageError) {
    list.line(`berth: ${error.message}`);
    list.line('berth help lists the commands.');
    process.exitCode = 2;
  } else if (error instanceof Refusal) {
    list.line(error.message);
    process.exitCode = 1;
  } else {
    list.line(`berth: ${error instanceof Error ? error.message : String(error)}`);
    if (process.env.BERTH_DEBUG !== undefined && error instanceof Error) list.line(error.stack ?? '');
    process.exitCode = 1;
  }
}
