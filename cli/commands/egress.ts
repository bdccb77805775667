/** egress: what the instances of a project may reach. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { describeRule, formatRule } from '#domain/network-rules.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, parseBytes } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { readRules } from './security-groups.ts';
import { examples } from './session.ts';

function details(policy: OutputOf<'egressGet'>): string {
  const rules = policy.rules.map(
    (rule) => `  ${formatRule(rule)}   (${rule.action === 'allow' ? 'allowed' : 'denied'}: ${describeRule(rule)})\n`,
  );
  const rest = policy.default === 'allow' ? 'may be reached' : 'is denied';
  const connections = policy.connectionsMax === null ? 'no cap' : String(policy.connectionsMax);
  const bandwidth =
    policy.bytesPerSecondMax === null ? 'no cap' : `${formatBytes(policy.bytesPerSecondMax)} a second each way`;
  return `${rules.join('')}  everything ${rules.length > 0 ? 'else ' : ''}${rest}\nOpen connections of an instance: ${connections}\nBandwidth of an instance: ${bandwidth}\n`;
}

type Options = { default?: 'allow' | 'deny'; rules?: boolean; connections?: string; bandwidth?: string };

function connectionsOf(text: string): number | null {
  if (text === 'none') return null;
  if (!/^\d{1,6}$/.test(text))
    throw usageError(`"${text}" is not a number of connections.`, 'A whole number, or none.');
  return Number(text);
}

export function addEgressCommands(program: Command, io: Io): void {
  const egress = program.command('egress').description('What the instances of a project may reach');
  egress
    .command('show')
    .alias('get')
    .description('Show it')
    .action(
      run(io, async (berth) => {
        const project = await berth.project();
        const policy = await (await berth.client()).call('egressGet', { params: { project: project.id } });
        berth.print(policy, () => details(policy));
      }),
    );
  egress
    .command('set [rules...]')
    .description('Change it: rules replace the rules there are; what is not named stays. Deny wins over allow.')
    .addOption(new Option('--default <action>', 'what no rule names').choices(['allow', 'deny']))
    .option('--no-rules', 'take all rules away')
    .option('--connections <n>', 'open connections of one instance, or none')
    .option('--bandwidth <size>', 'bytes a second of one instance, such as 10MiB, or none')
    .addHelpText(
      'after',
      examples(['berth egress set "deny out tcp 6667"', 'berth egress set --default deny "allow out tcp 443"']),
    )
    .action(
      run<Options>(io, async (berth, rules, options) => {
        const client = await berth.client();
        const params = { project: (await berth.project()).id };
        const now = await client.call('egressGet', { params });
        const policy = await client.call('egressUpdate', {
          params,
          body: {
            default: options.default ?? now.default,
            rules: options.rules === false ? [] : rules.length === 0 ? now.rules : readRules(rules),
            connectionsMax: options.connections === undefined ? now.connectionsMax : connectionsOf(options.connections),
            bytesPerSecondMax:
              options.bandwidth === undefined
                ? now.bytesPerSecondMax
                : options.bandwidth === 'none'
                  ? null
                  : parseBytes(options.bandwidth),
          },
        });
        berth.print(policy, () => details(policy));
      }),
    );
}
