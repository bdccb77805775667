/** routes: host names, and paths of them, that lead to a port of an instance or elsewhere. */
import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { collect, findInstance, findRoute, LIST_ROWS_MAX, type Route, routePlace } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { addRouteOptions, type RouteOptions, routeOptionsBody } from './route-options.ts';
import { examples } from './session.ts';

type AddOptions = RouteOptions & { port?: string; path: string; public?: boolean };
type UpdateOptions = RouteOptions & { port?: string; public?: boolean; private?: boolean };

export function parsePort(text: string | undefined): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw usageError(`"${text}" is not a port.`, 'A number from 1 to 65535.');
  return port;
}

/** 'shop' becomes 'shop.<platform domain>'; a name with a dot stays. */
async function fullHostname(berth: Runtime, text: string): Promise<string> {
  if (text.includes('.')) return text.toLowerCase();
  const { domain } = await (await berth.client()).call('info', {});
  return `${text.toLowerCase()}.${domain}`;
}

function leadsTo(route: Route): string {
  if (route.redirect !== null) return `redirect to ${route.redirect.to}`;
  return route.target === 'screen' ? 'screen' : `port ${route.port}`;
}

function certificateWord({ certificate }: Route): string {
  if (certificate === null) return 'on demand';
  return certificate.expiresAt === null ? 'none' : `until ${certificate.expiresAt.slice(0, 10)}`;
}

function table(berth: Runtime, rows: readonly Route[], empty: string): string {
  return renderTable(
    rows,
    [
      { title: 'Address', value: (row) => row.url },
      { title: 'Instance', value: (row) => row.instanceName },
      { title: 'To', value: leadsTo },
      {
        title: 'Open to',
        value: (row) => (row.visibility === 'public' ? 'everybody' : 'members'),
        paint: (text, row) => (row.visibility === 'public' ? berth.paint.yellow(text) : text),
      },
      { title: 'Certificate', value: certificateWord },
      { title: 'Id', value: (row) => row.id },
    ],
    { paint: berth.paint, empty },
  );
}

export function addRouteCommands(program: Command, io: Io): void {
  const routes = program.command('routes').alias('route').description('Host names that lead to instances');
  routes
    .command('list [instance]')
    .alias('ls')
    .description('List the routes of the project, or of one instance')
    .action(
      run(io, async (berth, [ref]) => {
        const client = await berth.client();
        if (typeof ref === 'string') {
          const instance = await findInstance(berth, ref);
          const page = await client.call('routesList', { params: { instance: instance.id } });
          berth.print(page, () => table(berth, page.items, `No routes lead to ${plain(instance.name)}.`));
          return;
        }
        const project = await berth.project();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('routesListProject', { params: { project: project.id }, query }),
        );
        berth.print(page, () =>
          table(berth, page.items, 'No routes yet. Add one with: berth routes add INSTANCE NAME --port 8080'),
        );
      }),
    );
  const add = routes
    .command('add <instance> <hostname>')
    .aliases(['create', 'new'])
    .description(
      'Add a route; it works at once. A name without a dot is put under the platform domain; others need a proven domain.',
    )
    .option('--port <port>', 'port inside the instance')
    .option('--path <path>', 'only what is below this path, such as /api', '/')
    .option('--public', 'open to everybody, without sign-in')
    .addHelpText(
      'after',
      examples([
        'berth routes add web shop --port 8080',
        'berth routes add web shop.example.com --port 8080 --public',
        'berth routes add web shop --path /api --port 9000',
        'berth routes add web www.example.com --redirect https://example.com',
      ]),
    );
  addRouteOptions(add).action(
    run<AddOptions>(io, async (berth, [ref = '', hostname = ''], options) => {
      if ((options.port === undefined) === (options.redirect === undefined)) {
        throw usageError('Where does it lead?', 'Give either --port or --redirect.');
      }
      const { port: portText, path } = options;
      const instance = await findInstance(berth, ref);
      const route = await (await berth.client()).call('routesCreate', {
        params: { instance: instance.id },
        body: {
          hostname: await fullHostname(berth, hostname),
          path,
          ...(portText === undefined ? {} : { port: parsePort(portText) }),
          visibility: options.public === true ? 'public' : 'private',
          ...routeOptionsBody(options),
        },
      });
      berth.print(route, () => `${route.url} leads to ${leadsTo(route)} of ${plain(instance.name)}.\n`);
    }),
  );
  const update = routes
    .command('update <route>')
    .description('Change where a route leads, who may open it, or its rules (host name, host name/path, or id)')
    .option('--port <port>', 'port inside the instance')
    .option('--public', 'open to everybody, without sign-in')
    .option('--private', 'open to members, who sign in');
  addRouteOptions(update).action(
    run<UpdateOptions>(io, async (berth, [ref = ''], options) => {
      if (options.public === true && options.private === true) throw usageError('Either --public or --private.');
      const visibility = options.public === true ? 'public' : options.private === true ? 'private' : undefined;
      const more = routeOptionsBody(options);
      if (options.port === undefined && visibility === undefined && Object.keys(more).length === 0) {
        throw usageError('Change what?', 'Add --port, --public, --private or a rule such as --allow.');
      }
      const port = options.port === undefined ? undefined : parsePort(options.port);
      const found = await findRoute(berth, ref);
      const route = await (await berth.client()).call('routesUpdate', {
        params: { route: found.id },
        body: {
          ...(port === undefined ? {} : { port }),
          ...(visibility === undefined ? {} : { visibility }),
          ...more,
        },
      });
      berth.print(route, () => table(berth, [route], ''));
    }),
  );
  routes
    .command('check <route>')
    .description('Look at the certificate of a route now (host name, host name/path, or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const found = await findRoute(berth, ref);
        const route = await (await berth.client()).call('routesCheck', { params: { route: found.id } });
        berth.print(route, () =>
          route.certificate?.problem == null
            ? `${plain(route.hostname)} has a certificate of ${plain(route.certificate?.issuer ?? '')}, ${certificateWord(route)}.\n`
            : `${plain(route.hostname)} has no certificate. ${plain(route.certificate.problem)}\n`,
        );
      }),
    );
  routes
    .command('delete <route>')
    .alias('rm')
    .description('Remove a route (host name or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const route = await findRoute(berth, ref);
        await (await berth.client()).call('routesDelete', { params: { route: route.id } });
        berth.print({ deleted: route.id }, () => `${plain(routePlace(route))} leads nowhere any more.\n`);
      }),
    );
}
