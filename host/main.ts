/** `berth` for the host itself: up, down, status, logs, doctor, test, dev, version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checklist } from './checklist.ts';
import { checkout } from './layout.ts';
import { UsageError } from './options.ts';
import { Refusal } from './refusal.ts';

const HELP = `berth: turns this machine into a cloud that you can hand out

This machine:
  berth up        bring Berth up: install what is missing, start everything, print where it is
      --yes               do not ask before changing the machine
      --detach            return when it runs; without it, Ctrl-C stops Berth (instances keep running)
      --json              print one object: consoleUrl, apiUrl, setupCode, caCertificate, dataDir
      --data-dir DIR      where everything is kept (/var/lib/berth, or BERTH_DATA_DIR)
      --domain NAME       name of the console (berth.localhost); instances live below it
      --control-port N    console and API (9443)
      --ssh-port N        SSH gateway (2222)
      --ssh-workers N     processes of it that carry connections ('auto': by cores)
      --https-port N      instances (443)       --http-port N   redirects to it (80)
      --forward-ports A-B host ports that may lead to instances (20000-21999)
      --acme-directory URL  certificates from this ACME authority instead of one of Berth's own ('internal': back)
      --acme-email MAIL     whom it may write to      --acme-ca-file FILE  what it is trusted by, when private
      --dns-resolver ADDR   asked whether domains are proven, ADDRESS or ADDRESS:PORT ('system': this machine's)
      --pool-device DEV   an empty disk or partition for instances, instead of a file
      --pool-size SIZE    size of that file, such as 40GiB
      --demo              create an owner account and print its password
      --no-images         do not build images now
      --no-console        API only
  berth down      stop Berth's processes; instances keep running
  berth uninstall remove this installation with every instance and its data   [--yes]
  berth status    what runs                                  [--json]
  berth logs      [process] [-f] [-n LINES] [--json]
  berth ssh-host-key [next|switch|drop]   the SSH gateway's host key, and changing it
  berth doctor    what this machine can do and what is wrong [--json]
  berth version

Development:
  berth test      every check and every test                 [--only unit|console|integration|e2e|check] [--fast]
  berth dev       the whole stack with reload (npm run dev)

The cloud (berth help for instances, images, ...): berth login, berth instances, berth --help
`;

async function main(argv: readonly string[]): Promise<number> {
  const [verb, ...args] = argv;
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
