/** Scopes of a token: reading them and choosing them. */
import { useId } from 'react';
import { READ_SCOPE, resourceOf, scopeNames } from '#domain/scopes.ts';
import { humanize } from '../../lib/format.ts';
import { Checkbox } from '../../ui/switch.tsx';

/** 'platform.image' -> 'Platform image' -> { actions of it }, in the order of the table. */
const groups: readonly { resource: string; actions: readonly string[] }[] = [
  ...new Set(scopeNames.filter((scope) => !scope.endsWith('.*') && scope !== READ_SCOPE).map(resourceOf)),
].map((resource) => ({
  resource,
  actions: scopeNames.filter(
    (scope) => !scope.endsWith('.*') && resourceOf(scope) === resource && scope !== READ_SCOPE,
  ),
}));

const lastPart = (action: string) => humanize(action.slice(action.lastIndexOf('.') + 1)).toLowerCase();

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

/** Every action by resource. `value` holds actions and whole resources (`instance.*`). */
export function ScopePicker({
  value,
  onChange,
}: {
  value: readonly string[];
  onChange: (scopes: readonly string[]) => void;
}) {
  const id = useId();
  function toggleAll(resource: string, on: boolean) {
    const rest = value.filter((scope) => resourceOf(scope) !== resource);
    onChange(on ? [...rest, `${resource}.*`] : rest);
  }
  function toggle(resource: string, actions: readonly string[], action: string, on: boolean) {
    const whole = value.includes(`${resource}.*`);
    const chosen = new Set(whole ? actions : value.filter((scope) => resourceOf(scope) === resource));
    if (on) chosen.add(action);
    else chosen.delete(action);
    const rest = value.filter((scope) => resourceOf(scope) !== resource);
    onChange([...rest, ...(chosen.size === actions.length ? [`${resource}.*`] : chosen)]);
  }
  return (
    <div className="flex flex-col divide-y divide-line rounded-md border border-line">
      {groups.map(({ resource, actions }) => {
        const whole = value.includes(`${resource}.*`);
        const some = value.some((scope) => resourceOf(scope) === resource);
        const title = humanize(resource);
        return (
          <fieldset key={resource} className="px-3 py-2" aria-labelledby={`${id}-${resource}`}>
            <div className="flex items-center gap-2 font-medium text-sm" id={`${id}-${resource}`}>
              <Checkbox
                checked={whole}
                mixed={some && !whole}
                onChange={(on) => toggleAll(resource, on)}
                label={`Everything: ${title}`}
              />
              {title}
            </div>
            <div className="mt-1.5 flex flex-wrap gap-x-4 gap-y-1.5 pl-6">
              {actions.map((action) => (
                <span key={action} className="flex items-center gap-1.5 text-soft text-xs">
                  <Checkbox
                    checked={whole || value.includes(action)}
                    onChange={(on) => toggle(resource, actions, action, on)}
                    label={action}
                  />
                  {lastPart(action)}
                </span>
              ))}
            </div>
          </fieldset>
        );
      })}
    </div>
  );
}
