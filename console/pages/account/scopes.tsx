/** Scopes of a token: reading them and choosing them. */
import { ChevronRight } from 'lucide-react';
import { useId } from 'react';
import { READ_SCOPE, resourceOf, scopeNames } from '#domain/scopes.ts';
import { humanize, plural } from '../../lib/format.ts';
import { Checkbox } from '../../ui/switch.tsx';

type Resource = { resource: string; title: string; actions: readonly string[] };
type Area = { title: string; resources: readonly Resource[] };

/** Where a resource's name alone says too little. */
const titles: Record<string, string> = {
  account: 'Your account',
  member: 'Members',
  group: 'Groups',
  grant: 'App permissions',
  entry: 'Entries of administrators',
  audit: 'Audit log',
  project: 'Projects',
  quota: 'Quotas',
  instance: 'Instances',
  snapshot: 'Snapshots',
  backup: 'Backups',
  route: 'Routes',
  operation: 'Operations',
  'platform.image': 'Images',
  'platform.host': 'Hosts',
  'platform.organization': 'All organizations',
  'platform.audit': 'Audit log of the installation',
  'platform.user': 'All users',
  'platform.provider': 'Identity providers',
  'platform.client': 'Sign-in to apps',
  'platform.key': 'Keys',
};
const inProject = [
  'instance',
  'snapshot',
  'backup',
  'route',
  'forward',
  'security-group',
  'egress',
  'flow',
  'operation',
];

function titleOf(resource: string): string {
  return titles[resource] ?? humanize(resource.replace(/^platform\./, ''));
}

function areaOf(resource: string): string {
  if (resource.startsWith('platform.')) return 'Installation';
  if (resource === 'account') return 'You';
  return inProject.includes(resource) ? 'Desktops and servers' : 'Organization and projects';
}

/** Areas, what is in them, and what may be done with it, in the order in which people look for it. */
const areas: readonly Area[] = ['Desktops and servers', 'Organization and projects', 'You', 'Installation'].map(
  (title) => ({
    title,
    resources: [...new Set(scopeNames.filter((scope) => scope !== READ_SCOPE).map(resourceOf))]
      .filter((resource) => areaOf(resource) === title)
      .map((resource) => ({
        resource,
        title: titleOf(resource),
        actions: scopeNames.filter((scope) => !scope.endsWith('.*') && resourceOf(scope) === resource),
      })),
  }),
);

const lastPart = (action: string) => humanize(action.slice(action.lastIndexOf('.') + 1)).toLowerCase();

/** How many of these actions are chosen, one by one or as a whole. */
function chosenIn({ resource, actions }: Resource, value: readonly string[]): number {
  return value.includes(`${resource}.*`) ? actions.length : actions.filter((action) => value.includes(action)).length;
}

/** In words: 'everything you may do', 'read', or the list. */
export function ScopeList({
  scopes,
  everything = 'everything you may do',
}: {
  scopes: readonly string[] | null;
  everything?: string;
}) {
  if (scopes === null) return <span>{everything}</span>;
  if (scopes.length === 1 && scopes[0] === READ_SCOPE) return <span>read, and change nothing</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {scopes.map((scope) => (
        <code key={scope} className="mono rounded-sm bg-sunken px-1 text-xs">
          {scope}
        </code>
      ))}
    </span>
  );
}

/** Every action by area and resource. `value` holds actions and whole resources (`instance.*`). */
export function ScopePicker({
  value,
  onChange,
  installation,
}: {
  value: readonly string[];
  onChange: (scopes: readonly string[]) => void;
  /** Also what only administrators of the installation may do. */
  installation: boolean;
}) {
  return (
    <div className="flex flex-col gap-2">
      {areas
        .filter((area) => installation || area.title !== 'Installation')
        .map((area, index) => (
          <AreaPicker key={area.title} area={area} value={value} onChange={onChange} open={index === 0} />
        ))}
    </div>
  );
}

function AreaPicker({
  area,
  value,
  onChange,
  open,
}: {
  area: Area;
  value: readonly string[];
  onChange: (scopes: readonly string[]) => void;
  open: boolean;
}) {
  const count = area.resources.reduce((sum, each) => sum + chosenIn(each, value), 0);
  return (
    <details open={open} className="group rounded-md border border-line">
      <summary className="flex min-h-10 cursor-pointer list-none items-center gap-2 rounded-md px-3 py-2 text-sm hover:bg-hover [&::-webkit-details-marker]:hidden">
        <ChevronRight
          aria-hidden="true"
          className="size-4 shrink-0 text-faint transition-transform duration-75 group-open:rotate-90"
        />
        <span className="min-w-0 flex-1 font-medium">{area.title}</span>
        <span className={count === 0 ? 'text-faint text-xs' : 'text-accent text-xs'}>
          {count === 0 ? 'nothing' : plural(count, 'action')}
        </span>
      </summary>
      <div className="divide-y divide-line border-line border-t">
        {area.resources.map((each) => (
          <ResourcePicker key={each.resource} {...each} value={value} onChange={onChange} />
        ))}
      </div>
    </details>
  );
}

function ResourcePicker({
  resource,
  title,
  actions,
  value,
  onChange,
}: Resource & { value: readonly string[]; onChange: (scopes: readonly string[]) => void }) {
  const id = useId();
  const whole = value.includes(`${resource}.*`);
  const rest = value.filter((scope) => resourceOf(scope) !== resource);
  const count = chosenIn({ resource, title, actions }, value);
  function toggle(action: string, on: boolean) {
    const chosen = new Set(whole ? actions : value.filter((scope) => resourceOf(scope) === resource));
    if (on) chosen.add(action);
    else chosen.delete(action);
    onChange([...rest, ...(chosen.size === actions.length ? [`${resource}.*`] : chosen)]);
  }
  return (
    <fieldset className="px-3 py-2" aria-labelledby={id}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the checkbox inside is the control */}
      <label className="flex min-h-7 cursor-pointer items-center gap-2 font-medium text-sm" id={id}>
        <Checkbox
          checked={whole}
          mixed={count > 0 && !whole}
          onChange={(on) => onChange(on ? [...rest, `${resource}.*`] : rest)}
          label={`Everything: ${title}`}
        />
        {title}
      </label>
      <div className="flex flex-wrap gap-x-4 pl-6">
        {actions.map((action) => (
          // biome-ignore lint/a11y/noLabelWithoutControl: the checkbox inside is the control
          <label
            key={action}
            title={action}
            className="flex min-h-7 min-w-20 cursor-pointer items-center gap-1.5 text-soft text-xs hover:text-text max-sm:min-h-9 max-sm:min-w-24 max-sm:text-sm"
          >
            <Checkbox checked={whole || value.includes(action)} onChange={(on) => toggle(action, on)} label={action} />
            {lastPart(action)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
