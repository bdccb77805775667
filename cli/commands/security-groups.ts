/** security-groups: rules about what may enter and leave the instances that have them. */
import type { Command } from 'commander';
import { describeRule, formatRule, type NetworkRule, parseRule } from '#domain/network-rules.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { findInstance, findSecurityGroup, type SecurityGroup } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

/** Rules as people type them. Errors: usage, with what is wrong. */
export function readRules(texts: readonly string[]): NetworkRule[] {
  return texts.map((text) => {
    const rule = parseRule(text);
    if (typeof rule === 'string') throw usageError(rule, 'For example: "allow in tcp 22 from 203.0.113.0/24".');
    return rule;
  });
}

function table(berth: Runtime, rows: readonly SecurityGroup[]): string {
  return renderTable(
    rows,
    [
      { title: 'Name', value: (row) => row.name },
      { title: 'Rules', value: (row) => String(row.rules.length), align: 'right' },
      { title: 'Instances', value: (row) => row.instances.map((instance) => instance.name).join(', ') },
      { title: 'State', value: (row) => (row.state === 'applied' ? 'in force' : 'being applied') },
      { title: 'Description', value: (row) => plain(row.description) },
    ],
    {
      paint: berth.paint,
      empty: 'No security groups. Make one with: berth security-groups create web "allow in tcp 443"',
    },
  );
}

function details(group: SecurityGroup): string {
  const rules = group.rules.map(
    (rule) => `  ${formatRule(rule)}   (${rule.action === 'allow' ? 'allowed' : 'denied'}: ${describeRule(rule)})`,
  );
  const members = group.instances.map((instance) => instance.name).join(', ');
  return `${group.name}: ${group.state === 'applied' ? 'in force' : 'being applied'} for ${members || 'no instance yet'}\n${rules.join('\n') || '  no rules'}\n${group.usedBy.length === 0 ? '' : `Gets in to instances with: ${group.usedBy.join(', ')}\n`}`;
}

export function addSecurityGroupCommands(program: Command, io: Io): void {
  const groups = program
    .command('security-groups')
    .alias('security-group')
    .description('Rules about what may enter and leave instances');
  groups
    .command('list')
    .alias('ls')
    .description('List the security groups of the project')
    .action(
      run(io, async (berth) => {
        const project = await berth.project();
        const page = await (await berth.client()).call('securityGroupsList', { params: { project: project.id } });
        berth.print(page, () => table(berth, page.items));
      }),
    );
  groups
    .command('show <security-group>')
    .alias('get')
    .description('Show the rules of a group')
    .action(
      run(io, async (berth, [ref = '']) => {
        const group = await findSecurityGroup(berth, ref);
        berth.print(group, () => details(group));
      }),
    );
  groups
    .command('create <name> [rules...]')
    .alias('new')
    .description('Make a security group. Deny wins; once something is allowed one way, the rest that way is denied.')
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      examples([
        'berth security-groups create web "allow in tcp 80,443" "allow in tcp 22 from 203.0.113.0/24"',
        'berth security-groups create database "allow in tcp 5432 from group:web"',
      ]),
    )
    .action(
      run<{ description?: string }>(io, async (berth, [name = '', ...rules], options) => {
        const project = await berth.project();
        const group = await (await berth.client()).call('securityGroupsCreate', {
          params: { project: project.id },
          body: { name, description: options.description ?? '', rules: readRules(rules) },
        });
        berth.print(group, () => details(group));
      }),
    );
  groups
    .command('set <security-group> [rules...]')
    .description('Replace the rules of a group; open connections go on')
    .option('--description <text>', 'what it is for')
    .option('--rename <name>', 'another name')
    .action(
      run<{ description?: string; rename?: string }>(io, async (berth, [ref = '', ...texts], options) => {
        const found = await findSecurityGroup(berth, ref);
        const { description, rename } = options;
        const group = await (await berth.client()).call('securityGroupsUpdate', {
          params: { group: found.id },
          body: {
            // Words alone leave the rules as they are.
            ...(texts.length === 0 && (description !== undefined || rename !== undefined)
              ? {}
              : { rules: readRules(texts) }),
            ...(description === undefined ? {} : { description }),
            ...(rename === undefined ? {} : { name: rename }),
          },
        });
        berth.print(group, () => details(group));
      }),
    );
  for (const give of [true, false]) {
    groups
      .command(`${give ? 'give' : 'take'} <security-group> <instance>`)
      .description(give ? 'Let an instance have the group' : 'Take the group from an instance')
      .action(
        run(io, async (berth, [ref = '', name = '']) => {
          const found = await findSecurityGroup(berth, ref);
          const instance = await findInstance(berth, name);
          const others = found.instances.map((each) => each.id).filter((id) => id !== instance.id);
          const group = await (await berth.client()).call('securityGroupsUpdate', {
            params: { group: found.id },
            body: { instances: give ? [...others, instance.id] : others },
          });
          berth.print(group, () => details(group));
        }),
      );
  }
  groups
    .command('delete <security-group>')
    .alias('rm')
    .description('Delete a security group that no rule of another one names; its rules end at once')
    .action(
      run(io, async (berth, [ref = '']) => {
        const group = await findSecurityGroup(berth, ref);
        await (await berth.client()).call('securityGroupsDelete', { params: { group: group.id } });
        berth.print({ deleted: group.id }, () => `${group.name} is deleted.\n`);
      }),
    );
}
