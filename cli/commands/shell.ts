/** instances shell: a terminal inside an instance. */
import { type Command, Option } from 'commander';
import { TERMINAL_DETACHED_SECONDS_MAX } from '#contract/edge.ts';
import { CliError, usageError } from '../errors.ts';
import { newTerminalSession } from '../random.ts';
import { findInstance } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { joinTerminal } from '../terminal.ts';
import { examples } from './session.ts';

type ShellOptions = { user: 'berth' | 'root'; session?: string };

export function addInstanceShell(instances: Command, io: Io): void {
  instances
    .command('shell <instance>')
    .alias('terminal')
    .description(
      'Open a terminal inside. Leave with "exit", or with ~. at the beginning of a line: then it lives on for ' +
        `${TERMINAL_DETACHED_SECONDS_MAX / 60} minutes and --session joins it again.`,
    )
    .summary('Open a terminal inside')
    .addOption(new Option('-u, --user <user>', 'who to be inside').choices(['berth', 'root']).default('berth'))
    .option('--session <name>', 'join this terminal again')
    .addHelpText('after', examples(['berth instances shell web', 'echo "uname -a" | berth instances shell web']))
    .action(
      run<ShellOptions>(io, async (berth, [ref = ''], options) => {
        if (berth.json) throw usageError('A terminal has no JSON form.');
        const session = options.session ?? newTerminalSession();
        if (!/^[A-Za-z0-9_-]{8,64}$/.test(session))
          throw usageError('--session takes 8 to 64 letters, digits, _ and -.');
        const instance = await findInstance(berth, ref);
        const end = await joinTerminal(berth, { instance: instance.id, session, user: options.user });
        if (end.how === 'left') {
          berth.note(`\nLeft. Join again with: berth instances shell ${instance.name} --session ${session}\n`);
        } else if (end.code !== 0) {
          throw new CliError('failure', `The shell ended with code ${end.code}.`, { code: 'operation_failed' });
        }
      }),
    );
}
