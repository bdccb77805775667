/** The whole command tree. Pure wiring: reading it top to bottom is reading the program's table of contents. */
import { Argument, Command, Help, Option } from 'commander';
import { addAccountCommands } from './commands/account.ts';
import { addAddressSetCommands } from './commands/address-sets.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addBackupCommands } from './commands/backups.ts';
import { addContainerCommands } from './commands/containers.ts';
import { addDataCommands } from './commands/data.ts';
import { addDnsCommands } from './commands/dns.ts';
import { addDomainCommands } from './commands/domains.ts';
import { addEgressCommands } from './commands/egress.ts';
import { addFactorCommands } from './commands/factors.ts';
import { addFileCommands } from './commands/files.ts';
import { addFlowCommands } from './commands/flows.ts';
import { addForwardCommands } from './commands/forwards.ts';
import { addGroupCommands } from './commands/groups.ts';
import { addHostCommands } from './commands/hosts.ts';
import { addIdentityProviderCommands } from './commands/identity-providers.ts';
import { addImageCommands } from './commands/images.ts';
import { addInstanceCommands } from './commands/instances.ts';
import { addInvitationCommands } from './commands/invitations.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addLimitCommands } from './commands/limits.ts';
import { addMailCommands } from './commands/mail.ts';
import { addMetricCommands } from './commands/metrics.ts';
import { addOidcClientCommands } from './commands/oidc-clients.ts';
import { addOperationCommands } from './commands/operations.ts';
import { addOrganizationCommands } from './commands/organization.ts';
import { addOrganizationsCommands } from './commands/organizations.ts';
import { addQuotaCommands } from './commands/quotas.ts';
import { addRegistrationCommands } from './commands/registration.ts';
import { addRegistryCommands } from './commands/registry.ts';
import { addRouteCommands } from './commands/routes.ts';
import { addSecurityGroupCommands } from './commands/security-groups.ts';
import { addServiceAccountCommands } from './commands/service-accounts.ts';
import { addSessionCommands, examples } from './commands/session.ts';
import { addSessionListCommands } from './commands/sessions.ts';
import { addSnapshotCommands } from './commands/snapshots.ts';
import { addSshCommands } from './commands/ssh.ts';
import { addSshKeyCommands } from './commands/ssh-keys.ts';
import { addSshRecordingCommands } from './commands/ssh-recordings.ts';
import { addStackCommands } from './commands/stacks.ts';
import { addTokenCommands } from './commands/tokens.ts';
import { addUserCommands } from './commands/users.ts';
import { type CompletionShell, candidates, completionScript, completionShells } from './completion.ts';
import { CliError } from './errors.ts';
import { type Io, type Runtime, run, VERSION } from './runtime.ts';

const HELP_WIDTH = 100;

/** Builds the program for one run (`json`: errors are left to the caller to print). It throws CommanderError and CliError; main.ts turns them into exit codes. */
export function buildProgram(io: Io, json = false): Command {
  const program = new Command('berth');
  program
    .description('Desktops and servers of your own, on machines of your own.')
    .option('--json', 'print the API answer as JSON, for scripts')
    .option('-p, --project <project>', 'project to work in (name or id; also BERTH_PROJECT)')
    .option('--organization <organization>', 'organization to work in (name or id)')
    .option('--context <context>', 'installation to talk to (also BERTH_CONTEXT)')
    .option('--no-color', 'no colours (also NO_COLOR)')
    .addOption(new Option('--debug', 'show every request on stderr'))
    .version(VERSION, '-V, --version', 'print the version of this program')
    .showHelpAfterError(json ? false : '(add --help to see what is possible)')
    .showSuggestionAfterError(true)
    .configureHelp({ helpWidth: HELP_WIDTH, sortSubcommands: false, showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => (json ? undefined : write(text)),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  program.createHelp = () => Object.assign(new Help(), program.configureHelp());

  addSessionCommands(program, io);
  addAccountCommands(program, io);
  addInstanceCommands(program, io);
  addSnapshotCommands(program, io);
  addBackupCommands(program, io);
  addSshCommands(program, io);
  addSshRecordingCommands(program, io);
  addMetricCommands(program, io);
  addRouteCommands(program, io);
  addFileCommands(program, io);
  addStackCommands(program, io);
  addContainerCommands(program, io);
  addDomainCommands(program, io);
  addDnsCommands(program, io);
  addForwardCommands(program, io);
  addSecurityGroupCommands(program, io);
  addEgressCommands(program, io);
  addFlowCommands(program, io);
  addAddressSetCommands(program, io);
  addImageCommands(program, io);
  addHostCommands(program, io);
  addOperationCommands(program, io);
  addOrganizationsCommands(program, io);
  addOrganizationCommands(program, io);
  addGroupCommands(program, io);
  addInvitationCommands(program, io);
  addAuditCommands(program, io);
  addQuotaCommands(program, io);
  addLimitCommands(program, io);
  addSessionListCommands(program, io);
  addSshKeyCommands(program, io);
  addTokenCommands(program, io);
  addServiceAccountCommands(program, io);
  addUserCommands(program, io);
  addRegistrationCommands(program, io);
  addMailCommands(program, io);
  addRegistryCommands(program, io);
  addFactorCommands(program, io);
  addKeyCommands(program, io);
  addDataCommands(program, io);
  addIdentityProviderCommands(program, io);
  addOidcClientCommands(program, io);

  program
    .command('completion')
    .description('Print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'your shell').choices([...completionShells]))
    .addHelpText('after', examples(['eval "$(berth completion bash)"', 'berth completion fish | source']))
    .action(
      run(io, async (berth, [shell = '']) => {
        berth.out(completionScript(shell as CompletionShell));
      }),
    );
  program
    .command('version')
    .description('Print the version of this program and of the installation')
    .action(run(io, (berth) => version(berth)));
  program
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(
      run(io, async (berth, words) => {
        const found = await candidates(berth, program, words);
        berth.out(found.map((word) => `${word}\n`).join(''));
      }),
    );

  program.addHelpText(
    'after',
    `
Commands for the Berth host itself (up, down, status, logs, doctor, ...): berth help.
Things are named by name or id. Exit codes: 0 ok, 1 failed, 2 usage, 3 not signed in, 4 not found,
5 conflict or quota, 6 timeout, 7 not available.
${examples(['berth login', 'berth instances create desktop ada --wait', 'berth instances open ada', 'berth instances shell web'])}`,
  );
  // One way to ask for help is enough inside a group: --help.
  for (const group of program.commands) if (group.commands.length > 0) group.helpCommand(false);
  return program;
}

async function version(berth: Runtime): Promise<void> {
  let server: string | null = null;
  try {
    const { context } = await berth.context();
    if (context !== null) {
      const client = berth.makeClient(context);
      try {
        server = (await client.call('health', {})).version;
      } finally {
        await client.close();
      }
    }
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    berth.note(`The installation did not answer: ${error.message}\n`);
  }
  berth.print({ client: VERSION, server }, () => `berth ${VERSION}\ninstallation ${server ?? 'unknown'}\n`);
}
