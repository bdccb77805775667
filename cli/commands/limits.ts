/** rate-limits, outbound, control-access: how often and from where somebody may call, and whom this installation calls. */
import { Argument, type Command } from 'commander';
import { RATE_LIMIT_MAX, type RateLimitName, rateLimitNames } from '#domain/rate-limits.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

function ratesTable(berth: Runtime, { items }: OutputOf<'rateLimitsGet'>): string {
  return renderTable(
    items,
    [
      { title: 'Name', value: (row) => row.name },
      { title: 'What', value: (row) => row.title },
      { title: 'Limit', value: (row) => String(row.limit), align: 'right' },
      { title: 'Seconds', value: (row) => String(row.windowSeconds), align: 'right' },
      { title: 'Initially', value: (row) => (row.limit === row.initial ? '' : String(row.initial)), align: 'right' },
    ],
    { paint: berth.paint, empty: '' },
  );
}

/** `api=200` -> ['api', 200]; `api=initial` -> ['api', null]. */
function parseChange(text: string): [RateLimitName, number | null] {
  const [name = '', value = ''] = text.split('=');
  const known = rateLimitNames.find((each) => each === name);
  if (known === undefined) throw usageError(`There is no limit "${name}".`, `There are: ${rateLimitNames.join(', ')}.`);
  if (value === 'initial') return [known, null];
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 1 || limit > RATE_LIMIT_MAX) {
    throw usageError(`"${value}" is not a limit.`, `A whole number from 1 to ${RATE_LIMIT_MAX}, or "initial".`);
  }
  return [known, limit];
}

export function addLimitCommands(program: Command, io: Io): void {
  const rates = program.command('rate-limits').description('How often somebody may call (administrators)');
  rates
    .command('show')
    .description('Show the limits in force')
    .action(
      run(io, async (berth) => {
        const answer = await (await berth.client()).call('rateLimitsGet', {});
        berth.print(answer, () => ratesTable(berth, answer));
      }),
    );
  rates
    .command('set')
    .description('Change limits; in force within seconds on every replica')
    .addArgument(new Argument('<name=limit...>', 'such as api=200; "initial" takes a change back'))
    .addHelpText('after', examples(['berth rate-limits set provisioning=60', 'berth rate-limits set api=initial']))
    .action(
      run(io, async (berth, changes) => {
        const body = Object.fromEntries(changes.map(parseChange));
        const answer = await (await berth.client()).call('rateLimitsUpdate', { body });
        berth.print(answer, () => ratesTable(berth, answer));
      }),
    );

  const control = program
    .command('control-access')
    .description('Networks that console and API may be used from (administrators)');
  const networksOf = ({ networks, countries, database }: OutputOf<'controlAccessGet'>) => {
    const all = [...networks, ...countries];
    const trouble = countries.length > 0 && database.state !== 'ready' ? `${database.problem ?? 'No database.'}\n` : '';
    return `${all.length === 0 ? 'All networks.' : all.join('\n')}\n${trouble}`;
  };
  control
    .command('show')
    .description('Show the networks')
    .action(
      run(io, async (berth) => {
        const answer = await (await berth.client()).call('controlAccessGet', {});
        berth.print(answer, () => networksOf(answer));
      }),
    );
  control
    .command('set')
    .description('Let in these networks and nobody else; this machine itself always may')
    .addArgument(new Argument('[network...]', 'such as 192.0.2.0/24'))
    .option('--country <code...>', 'and whoever is in these countries, such as DE')
    .option('--even-me', 'also when it locks you out')
    .addHelpText('after', examples(['berth control-access set 192.0.2.0/24 2001:db8::/32']))
    .action(
      run<{ evenMe?: boolean; country?: string[] }>(io, async (berth, networks, options) => {
        const countries = options.country ?? [];
        if (networks.length === 0 && countries.length === 0) throw usageError('Name at least one network or country.');
        const body = { networks: [...networks], countries, evenMe: options.evenMe === true };
        const answer = await (await berth.client()).call('controlAccessUpdate', { body });
        berth.print(answer, () => networksOf(answer));
      }),
    );
  control
    .command('open')
    .description('Let in all networks again; works on the machine itself whatever was set')
    .action(
      run(io, async (berth) => {
        const answer = await (await berth.client()).call('controlAccessUpdate', { body: { networks: [] } });
        berth.print(answer, () => networksOf(answer));
      }),
    );

  const outbound = program
    .command('outbound')
    .description('Private addresses this installation calls (administrators)');
  const list = ({ allowed }: OutputOf<'outboundGet'>) =>
    allowed.length === 0 ? 'None: only public https:// addresses are called.\n' : `${allowed.join('\n')}\n`;
  outbound
    .command('show')
    .description('Show what is allowed beside public https:// addresses')
    .action(
      run(io, async (berth) => {
        const answer = await (await berth.client()).call('outboundGet', {});
        berth.print(answer, () => list(answer));
      }),
    );
  const change = (verb: 'allow' | 'refuse', description: string) =>
    outbound
      .command(verb)
      .description(description)
      .addArgument(new Argument('<origin...>', 'scheme, host and port'))
      .addHelpText('after', examples([`berth outbound ${verb} https://idp.corp.example:8443`]))
      .action(
        run(io, async (berth, origins) => {
          const client = await berth.client();
          const { allowed } = await client.call('outboundGet', {});
          const named = origins.map((origin) => origin.replace(/\/$/, ''));
          const next = verb === 'allow' ? [...allowed, ...named] : allowed.filter((origin) => !named.includes(origin));
          const answer = await client.call('outboundUpdate', { body: { allowed: [...new Set(next)] } });
          berth.print(answer, () => list(answer));
        }),
      );
  change('allow', 'Let this installation call a private address');
  change('refuse', 'Take an address off the list');
}
