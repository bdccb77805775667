/**
 * Shell completion. The scripts printed by `berth completion` ask the program itself (`berth __complete -- words`), so
 * that verbs, options and the names of instances are always those of now. Candidates come one per line.
 */
import type { Argument, Command, Option } from 'commander';
import { collect, findInstance, routePlace } from './refs.ts';
import type { Runtime } from './runtime.ts';

/** Asking the installation must not make the shell feel stuck. */
export const COMPLETION_TIMEOUT_MS = 2_000;
const NAMES_MAX = 200;

export const completionShells = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof completionShells)[number];

/** Verbs of the `./berth` launcher that are not commands of this program. */
export const hostVerbs = ['up', 'down', 'status', 'logs', 'doctor', 'uninstall', 'test', 'dev'] as const;

const scripts: Record<CompletionShell, string> = {
  bash: `# berth completion for bash: eval "$(berth completion bash)"
_berth_complete() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _berth_complete berth
`,
  zsh: `#compdef berth
# berth completion for zsh: eval "$(berth completion zsh)"
_berth_complete() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a candidates
}
compdef _berth_complete berth
`,
  fish: `# berth completion for fish: berth completion fish | source
function __berth_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c berth -f -a '(__berth_complete)'
`,
};

export function completionScript(shell: CompletionShell): string {
  return scripts[shell];
}

/** What is being completed: fixed words, or names of one sort after `before` positional words. */
export type Wanted = { words: string[]; names: string | null; before: string[] };

function visible(command: Command): Command[] {
  return command.commands.filter((child) => !child.name().startsWith('__'));
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** Walks the words typed so far through the command tree. The last word is the one being completed. */
export function wantedAt(program: Command, words: readonly string[]): Wanted {
  const last = words.at(-1) ?? '';
  let command = program;
  const positional: string[] = [];
  const optionsOf = (): Option[] => [...command.options, ...(command === program ? [] : program.options)];
  let pending: Option | null = null;
  for (const word of words.slice(0, -1)) {
    if (pending !== null) {
      pending = null;
      continue;
    }
    if (word.startsWith('-')) {
      const option = optionsOf().find((item) => item.long === word || item.short === word);
      if (option !== undefined && takesValue(option)) pending = option;
      continue;
    }
    const child = command.commands.find((item) => item.name() === word || item.aliases().includes(word));
    if (child !== undefined && positional.length === 0) command = child;
    else positional.push(word);
  }
  if (pending !== null) {
    if (pending.argChoices !== undefined)
      return { words: starting(pending.argChoices, last), names: null, before: positional };
    const sort = /[<[]([a-z-]+)/.exec(pending.flags)?.[1] ?? null;
    return { words: [], names: sort, before: positional };
  }
  if (last.startsWith('-')) {
    const flags = optionsOf().flatMap((option) =>
      option.long === undefined || option.long === null ? [] : [option.long],
    );
    return { words: starting([...new Set([...flags, '--help'])].sort(), last), names: null, before: positional };
  }
  if (command.commands.length > 0) {
    const names = visible(command).map((child) => child.name());
    const host = command === program ? hostVerbs : [];
    return { words: starting([...names, ...host], last), names: null, before: positional };
  }
  const argument: Argument | undefined = command.registeredArguments[positional.length];
  if (argument?.argChoices !== undefined)
    return { words: starting(argument.argChoices, last), names: null, before: positional };
  return { words: [], names: argument?.name() ?? null, before: positional };
}

function starting(words: readonly string[], prefix: string): string[] {
  return words.filter((word) => word.startsWith(prefix));
}

/** Names of one sort (`instance`, `snapshot`, ...) from the installation; none when it cannot be asked. */
async function namesOf(berth: Runtime, sort: string, before: readonly string[]): Promise<string[]> {
  const client = await berth.client();
  switch (sort) {
    case 'instance': {
      const project = await berth.project();
      const page = await collect(NAMES_MAX, (query) =>
        client.call('instancesList', { params: { project: project.id }, query }),
      );
      return page.items.map((instance) => instance.name);
    }
    case 'snapshot': {
      const instance = await findInstance(berth, before[0] ?? '');
      const { items } = await client.call('snapshotsList', { params: { instance: instance.id } });
      return items.map((snapshot) => snapshot.name);
    }
    case 'route': {
      const project = await berth.project();
      const page = await collect(NAMES_MAX, (query) =>
        client.call('routesListProject', { params: { project: project.id }, query }),
      );
      return page.items.map(routePlace);
    }
    case 'security-group': {
      const project = await berth.project();
      const { items } = await client.call('securityGroupsList', { params: { project: project.id } });
      return items.map((group) => group.name);
    }
    case 'forward': {
      const project = await berth.project();
      const page = await collect(NAMES_MAX, (query) =>
        client.call('forwardsListProject', { params: { project: project.id }, query }),
      );
      return page.items.map((forward) => `${forward.protocol}/${forward.hostPort}`);
    }
    case 'backup': {
      const project = await berth.project();
      const page = await client.call('backupsListProject', { params: { project: project.id }, query: { limit: 50 } });
      return page.items.map((backup) => backup.id);
    }
    case 'image':
      return (await client.call('imagesList', {})).items.map((image) => image.name);
    case 'host':
      return (await client.call('hostsList', {})).items.map((host) => host.name);
    case 'project':
      return (await berth.whoami()).projects.map((project) => project.name);
    case 'organization':
      return (await berth.whoami()).memberships.map((membership) => membership.organization.name);
    case 'member': {
      const organization = await berth.organization();
      const page = await collect(NAMES_MAX, (query) =>
        client.call('membersList', { params: { organization: organization.id }, query }),
      );
      return page.items.map((member) => member.user.email);
    }
    case 'operation': {
      const project = await berth.project();
      const page = await client.call('operationsList', { params: { project: project.id }, query: { limit: 20 } });
      return page.items.map((operation) => operation.id);
    }
    case 'name':
    case 'context':
      return before.length === 0 ? Object.keys((await berth.config()).contexts) : [];
    default:
      return [];
  }
}

/** Every candidate for the last of `words`. Never fails: no answer is no candidates. */
export async function candidates(berth: Runtime, program: Command, words: readonly string[]): Promise<string[]> {
  const wanted = wantedAt(program, words);
  if (wanted.names === null) return wanted.words;
  const project = flagValue(words, '--project');
  if (project !== undefined) berth.options.project = project;
  const context = flagValue(words, '--context');
  if (context !== undefined) berth.options.context = context;
  const names = await Promise.race([
    namesOf(berth, wanted.names, wanted.before).catch(() => []),
    new Promise<string[]>((resolve) => setTimeout(resolve, COMPLETION_TIMEOUT_MS, []).unref()),
  ]);
  return starting(names, words.at(-1) ?? '');
}

function flagValue(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag);
  return at === -1 || at >= words.length - 2 ? undefined : words[at + 1];
}
