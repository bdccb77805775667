/** address-sets: addresses under a name, for use in rules. */
import type { Command } from 'commander';
import { plain } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

export function addAddressSetCommands(program: Command, io: Io): void {
  const sets = program
    .command('address-sets')
    .alias('address-set')
    .description('Addresses under a name, for rules: "allow in tcp 22 from @office"');
  sets
    .command('list')
    .alias('ls')
    .description('List the address sets of the project, and which rules use them')
    .action(
      run(io, async (berth) => {
        const project = await berth.project();
        const page = await (await berth.client()).call('addressSetsList', { params: { project: project.id } });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => `@${row.name}` },
              { title: 'Addresses', value: (row) => row.ranges.join(', ') },
              {
                title: 'Used by',
                value: (row) => [...(row.usedBy.egress ? ['policy'] : []), ...row.usedBy.securityGroups].join(', '),
              },
              { title: 'Description', value: (row) => plain(row.description) },
            ],
            {
              paint: berth.paint,
              empty: 'No address sets. Make one with: berth address-sets set office 203.0.113.0/24',
            },
          ),
        );
      }),
    );
  sets
    .command('set <name> <ranges...>')
    .description('Make an address set, or replace its addresses and with them those of every rule that uses it')
    .option('--description <text>', 'what it is for')
    .addHelpText('after', examples(['berth address-sets set office 203.0.113.0/24 2001:db8::/32']))
    .action(
      run<{ description?: string }>(io, async (berth, [name = '', ...ranges], { description }) => {
        const client = await berth.client();
        const params = { project: (await berth.project()).id };
        const { items } = await client.call('addressSetsList', { params });
        const kept = description ?? items.find((set) => set.name === name)?.description ?? '';
        const set = await client.call('addressSetsPut', {
          params: { ...params, name },
          body: { description: kept, ranges: ranges.flatMap((text) => text.split(',')).filter((text) => text !== '') },
        });
        berth.print(set, () => `@${set.name}: ${set.ranges.join(', ')}\n`);
      }),
    );
  sets
    .command('delete <name>')
    .alias('rm')
    .description('Delete an address set that no rule uses')
    .action(
      run(io, async (berth, [name = '']) => {
        const project = await berth.project();
        await (await berth.client()).call('addressSetsDelete', { params: { project: project.id, name } });
        berth.note(`@${name} is deleted.`);
      }),
    );
}
