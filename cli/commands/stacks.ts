/** stacks: Docker Compose projects inside a server. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { isFinished } from '#domain/operations.ts';
import { STACK_TEXT_BYTES_MAX, type StackVerb, stackVerbs } from '#domain/stacks.ts';
import type { OutputOf } from '../client.ts';
import { CliError, usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { findInstance, type Instance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { type LogsOptions, line, logs, withLogOptions } from './logs.ts';
import { examples } from './session.ts';

type Listing = OutputOf<'stacksList'>;
type Stack = Listing['items'][number];
type Entry = OutputOf<'instancesLogs'>['items'][number];

const LOOK_MS = 1_000;
const OUTPUT_LINES = 1_000;

const states: Record<Stack['state'], string> = {
  running: 'running',
  partly: 'partly running',
  stopped: 'stopped',
  down: 'down',
};

/** What to know when Docker does not run; null when it does. */
export function dockerNote(state: Listing['docker']): string | null {
  if (state === 'missing') return 'There is no Docker inside this server.';
  if (state === 'stopped') return 'Docker is switched off inside: start it with "systemctl start docker".';
  if (state === 'asleep') return 'Docker sleeps inside, and wakes when a stack is started.';
  return null;
}

function table(berth: Runtime, rows: readonly Stack[]): string {
  return renderTable(
    rows,
    [
      { title: 'Name', value: (row) => row.name },
      {
        title: 'State',
        value: (row) => states[row.state],
        paint: (text, row) => (row.state === 'partly' ? berth.paint.yellow(text) : text),
      },
      {
        title: 'Containers',
        value: (row) =>
          row.containers.map((each) => `${plain(each.service || each.name)} (${plain(each.state)})`).join(', '),
      },
      { title: 'File', value: (row) => (row.file === null ? 'not known' : plain(row.file)) },
      {
        title: 'Last command',
        value: (row) =>
          row.run === null
            ? ''
            : `${row.run.verb}, ${row.run.state}, ${formatRelative(row.run.createdAt, berth.io.now())}`,
      },
    ],
    { paint: berth.paint, empty: 'No stacks yet. Write one: berth stacks create INSTANCE NAME compose.yaml' },
  );
}

/** The text of a local file, or of standard input for `-`. Errors: usage. */
async function textOf(path: string): Promise<string> {
  const text = await readFile(path === '-' ? '/dev/stdin' : path, 'utf8').catch((error: Error) => {
    throw usageError(`${plain(path)} cannot be read: ${error.message}.`);
  });
  if (Buffer.byteLength(text) > STACK_TEXT_BYTES_MAX)
    throw usageError(`${plain(path)} is too long for a compose file.`);
  return text;
}

/** Shows what is wrong. Errors: failure when something is. */
async function check(berth: Runtime, instance: Instance, stack: string, text: string): Promise<void> {
  const { problems } = await (await berth.client()).call('stacksCheck', {
    params: { instance: instance.id, stack },
    body: { text },
  });
  if (problems.length === 0) return;
  for (const { line: at, message } of problems) berth.note(`${at === null ? '' : `line ${at}: `}${plain(message)}\n`);
  throw new CliError('failure', 'Docker Compose refuses this file.', { code: 'invalid_input' });
}

export function addStackCommands(program: Command, io: Io): void {
  const stacks = program.command('stacks').alias('stack').description('Docker Compose stacks inside a server');
  stacks
    .command('list <instance>')
    .alias('ls')
    .description('List the stacks of a server, also those started by hand')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref);
        const listing = await (await berth.client()).call('stacksList', { params: { instance: instance.id } });
        const note = dockerNote(listing.docker);
        if (note !== null) berth.note(`${note}\n`);
        berth.print(listing, () => table(berth, listing.items));
      }),
    );
  stacks
    .command('show <instance> <stack>')
    .alias('cat')
    .description('Print the compose file of a stack')
    .action(
      run(io, async (berth, [ref = '', stack = '']) => {
        const instance = await findInstance(berth, ref);
        const file = await (await berth.client()).call('stacksRead', { params: { instance: instance.id, stack } });
        berth.print(file, () => `${file.text.replace(/[^\P{Cc}\n\t]/gu, '')}${file.text.endsWith('\n') ? '' : '\n'}`);
      }),
    );
  stacks
    .command('check <instance> <stack> <file>')
    .description('Ask Docker Compose inside whether a local compose file is right (- is standard input)')
    .action(
      run(io, async (berth, [ref = '', stack = '', path = '']) => {
        const text = await textOf(path);
        await check(berth, await findInstance(berth, ref), stack, text);
        berth.print({ problems: [] }, () => `${plain(path)} is right.\n`);
      }),
    );
  stacks
    .command('create <instance> <stack> <file>')
    .alias('new')
    .description('Write a new stack from a local compose file, once Docker Compose accepts it')
    .addHelpText('after', examples(['berth stacks create web blog compose.yaml', 'berth stacks up web blog --wait']))
    .action(
      run(io, async (berth, [ref = '', name = '', path = '']) => {
        const text = await textOf(path);
        const instance = await findInstance(berth, ref);
        await check(berth, instance, name, text);
        const file = await (await berth.client()).call('stacksCreate', {
          params: { instance: instance.id },
          body: { name, text },
        });
        berth.print(file, () => `${file.path} is written. Start it: berth stacks up ${instance.name} ${name}\n`);
      }),
    );
  stacks
    .command('update <instance> <stack> <file>')
    .alias('edit')
    .description('Put a local compose file in the place of the one of a stack; what runs stays until `up`')
    .action(
      run(io, async (berth, [ref = '', stack = '', path = '']) => {
        const text = await textOf(path);
        const instance = await findInstance(berth, ref);
        const client = await berth.client();
        const params = { instance: instance.id, stack };
        const { version } = await client.call('stacksRead', { params });
        await check(berth, instance, stack, text);
        const file = await client.call('stacksWrite', { params, body: { text, version } });
        berth.print(file, () => `${plain(file.path)} is written.\n`);
      }),
    );
  for (const verb of stackVerbs) addVerb(stacks, io, verb);
  withLogOptions(stacks.command('logs <instance> <stack>').description('What the containers of a stack write'))
    .addHelpText('after', examples(['berth stacks logs web blog -f', 'berth stacks logs web blog --search error']))
    .action(
      run<LogsOptions>(io, (berth, [ref = '', stack = ''], options) =>
        logs(berth, ref, { ...options, of: `stack:${stack}` }),
      ),
    );
  stacks
    .command('delete <instance> <stack>')
    .alias('rm')
    .description('Remove the compose file of a stack that is down; data beside it stays')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = '', stack = ''], options) => {
        const instance = await findInstance(berth, ref);
        await berth.confirm(`Remove the compose file of ${plain(stack)} on ${plain(instance.name)}?`, options.yes);
        const done = await (await berth.client()).call('stacksRemove', { params: { instance: instance.id, stack } });
        berth.print(done, () => `${plain(stack)} is removed.\n`);
      }),
    );
}

const verbWords: Record<StackVerb, { text: string; done: string }> = {
  up: { text: 'Create and start the containers of a stack, or bring them up to date with its file', done: 'is up' },
  down: { text: 'Stop and remove the containers and networks of a stack; volumes stay unless asked', done: 'is down' },
  restart: { text: 'Restart the containers of a stack', done: 'is restarted' },
  pull: { text: 'Pull newer images of a stack; `up` then uses them', done: 'has its newest images' },
};

type VerbOptions = WaitOptions & { volumes?: boolean; yes?: boolean };

function addVerb(stacks: Command, io: Io, verb: StackVerb): void {
  const command = withWait(stacks.command(`${verb} <instance> <stack>`).description(verbWords[verb].text));
  if (verb === 'down') {
    command.option('--volumes', 'remove its volumes too, with the data in them').option('-y, --yes', 'do not ask');
  }
  command.action(
    run<VerbOptions>(io, async (berth, [ref = '', stack = ''], options) => {
      const instance = await findInstance(berth, ref);
      const volumes = options.volumes === true;
      if (verb === 'down') {
        const lost = volumes ? 'Its volumes are removed: the data in them is lost.' : 'Its volumes stay.';
        await berth.confirm(
          `Take ${plain(stack)} on ${plain(instance.name)} down? Its containers are removed. ${lost}`,
          options.yes,
        );
      }
      const accepted = await (await berth.client()).call('stacksRun', {
        params: { instance: instance.id, stack, verb },
        body: { volumes },
      });
      if (options.wait === true && !berth.json) await showOutput(berth, instance, accepted.operation.id);
      await finishAccepted(berth, accepted, options, () => `${plain(stack)} ${verbWords[verb].done}.\n`);
    }),
  );
}

/** What the command says, as it says it, until it has ended. */
async function showOutput(berth: Runtime, instance: Instance, operation: string): Promise<void> {
  const client = await berth.client();
  const { signal } = berth.io;
  let seen: string[] = [];
  for (let over = false; !over && !signal.aborted; ) {
    const params = { operation };
    over = isFinished((await client.call('operationsGet', { params }, { signal })).state);
    const { items } = await client
      .call('instancesLogs', {
        params: { instance: instance.id },
        query: { lines: OUTPUT_LINES, of: `run:${operation}` },
      })
      // The output is a courtesy: a server that restarts meanwhile has none.
      .catch((): { items: Entry[] } => ({ items: [] }));
    const keys = items.map((entry) => `${entry.ts}\0${entry.message}`);
    const from = keys.lastIndexOf(seen.at(-1) ?? '') + 1;
    for (const entry of items.slice(from)) berth.note(line(berth, { ...entry, unit: 'docker' }));
    if (keys.length > 0) seen = keys;
    if (!over) await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
