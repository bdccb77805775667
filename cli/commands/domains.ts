/** domains: names of one's own, claimed by a project and proven by DNS. */
import type { Command } from 'commander';
import { plain } from '../format.ts';
import { type Domain, findDomain } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

const stateWords = { pending: 'not proven yet', verified: 'proven', lost: 'proof is gone' } as const;

function table(berth: Runtime, rows: readonly Domain[], empty: string): string {
  return renderTable(
    rows,
    [
      { title: 'Domain', value: (row) => row.name },
      {
        title: 'State',
        value: (row) => stateWords[row.state],
        paint: (text, row) => (row.state === 'verified' ? berth.paint.green(text) : berth.paint.yellow(text)),
      },
      { title: 'Routes', value: (row) => String(row.routes) },
      {
        title: 'Leads here',
        value: (row) => (row.pointsHere === null ? 'unknown' : row.pointsHere ? 'yes' : 'no'),
      },
      { title: 'Note', value: (row) => row.reason ?? '' },
    ],
    { paint: berth.paint, empty },
  );
}

const recordWords = {
  pending: 'being written',
  present: 'there',
  drifted: 'changed by somebody',
  taken: 'in the way of somebody else’s',
  failed: 'not written yet',
} as const;

export function wildcardWords(name: string, wildcard: Domain['wildcard']): string {
  const what = `*.${plain(name)}`;
  if (wildcard === null) return `${what}: no certificate of its own.`;
  const has = wildcard.expiresAt === null ? 'none yet' : `good until ${wildcard.expiresAt.slice(0, 10)}`;
  return `${what}: ${has}${wildcard.problem === null ? '' : `. ${plain(wildcard.problem)}`}`;
}

/** What to write into DNS, or what is written there. */
function record(berth: Runtime, domain: Domain): string {
  if (domain.dns !== null) {
    const head = `${plain(domain.dns.provider)} keeps the records of ${plain(domain.name)} in ${plain(domain.dns.zone)}:\n`;
    const rows = renderTable(
      domain.records,
      [
        { title: 'Name', value: (row) => row.name },
        { title: 'Type', value: (row) => row.type },
        { title: 'Value', value: (row) => row.values.join(' ') },
        { title: 'State', value: (row) => recordWords[row.state] },
        { title: 'Note', value: (row) => row.problem ?? '' },
      ],
      { paint: berth.paint, empty: 'Nothing yet; it is written within seconds.' },
    );
    return `${head}${rows}`;
  }
  return [
    'Set this record where the DNS of the domain is kept:',
    '',
    `  ${plain(domain.challenge.name)}.  TXT  "${plain(domain.challenge.value)}"`,
    '',
    `and let the names you use lead here, for example: ${plain(domain.name)}.  CNAME  ${plain(domain.target)}.`,
    `Berth looks every minute; look at once with: berth domains check ${plain(domain.name)}`,
    '',
  ].join('\n');
}

export function addDomainCommands(program: Command, io: Io): void {
  const domains = program.command('domains').alias('domain').description('Names of your own, proven by DNS');
  domains
    .command('list')
    .alias('ls')
    .description('List the domains of the project')
    .action(
      run(io, async (berth) => {
        const project = await berth.project();
        const page = await (await berth.client()).call('domainsList', { params: { project: project.id } });
        berth.print(page, () =>
          table(berth, page.items, 'No domains yet. Add one with: berth domains add example.com'),
        );
      }),
    );
  domains
    .command('add <domain>')
    .aliases(['create', 'new'])
    .description('Claim a domain and say which record proves it')
    .addHelpText('after', examples(['berth domains add example.com', 'berth domains check example.com']))
    .action(
      run(io, async (berth, [name = '']) => {
        const project = await berth.project();
        const params = { project: project.id };
        const domain = await (await berth.client()).call('domainsCreate', { params, body: { name } });
        berth.print(domain, () => record(berth, domain));
      }),
    );
  domains
    .command('show <domain>')
    .description('Show a domain and the record that proves it (name or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const domain = await findDomain(berth, ref);
        berth.print(
          domain,
          () =>
            `${table(berth, [domain], '')}\n${record(berth, domain)}\n${wildcardWords(domain.name, domain.wildcard)}\n`,
        );
      }),
    );
  domains
    .command('check <domain>')
    .description('Look at DNS now (name or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const found = await findDomain(berth, ref);
        const domain = await (await berth.client()).call('domainsCheck', { params: { domain: found.id } });
        berth.print(domain, () => table(berth, [domain], ''));
      }),
    );
  domains
    .command('wildcard <domain>')
    .description('Have one certificate made for a domain and all names directly below it (name or id)')
    .option('--off', 'no longer: each name gets its own again')
    .action(
      run<{ off?: boolean }>(io, async (berth, [ref = ''], options) => {
        const found = await findDomain(berth, ref);
        const body = { wildcard: options.off !== true };
        const domain = await (await berth.client()).call('domainsUpdate', { params: { domain: found.id }, body });
        berth.print(domain, () => `${wildcardWords(domain.name, domain.wildcard)}\n`);
      }),
    );
  domains
    .command('repair <domain>')
    .description('Write DNS records again that somebody changed or removed (name or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const found = await findDomain(berth, ref);
        const domain = await (await berth.client()).call('domainsRepair', { params: { domain: found.id } });
        berth.print(domain, () => record(berth, domain));
      }),
    );
  domains
    .command('delete <domain>')
    .alias('rm')
    .description('Give a domain up (name or id); not while routes use it')
    .action(
      run(io, async (berth, [ref = '']) => {
        const domain = await findDomain(berth, ref);
        await (await berth.client()).call('domainsDelete', { params: { domain: domain.id } });
        berth.print({ deleted: domain.id }, () => `${plain(domain.name)} is no longer this project's.\n`);
      }),
    );
}
