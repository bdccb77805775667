import { useNavigate } from '@tanstack/react-router';
import type { Instance } from '#contract/instances.ts';
import { projectSlug } from '../lib/scope.ts';
import { useScope } from '../shell/session.ts';
import type { MenuEntry } from '../ui/menu.tsx';
import type { InstanceAction } from './instances.ts';
import { actionsFor, blockedReason } from './instances.ts';
import { requestAction } from './request.ts';

/** What stands for an instance in addresses: deleted ones may share their name with a new one. */
export function instanceSlug(instance: Pick<Instance, 'phase' | 'id' | 'name'>): string {
  return instance.phase === 'archived' || instance.phase === 'purging' ? instance.id : instance.name;
}

/** Runs any action: opens the tab, the address, or asks the action host. */
export function usePerform(): (action: InstanceAction, instance: Instance) => void {
  const navigate = useNavigate();
  const { session } = useScope();
  return (action, instance) => {
    const project = session.projects.find((each) => each.id === instance.project);
    if (action.kind === 'tab') {
      const slug = project === undefined ? instance.project : projectSlug(session, project);
      void navigate({ to: `/p/${slug}/instances/${instanceSlug(instance)}/${action.tab}` });
    } else if (action.kind === 'link') {
      const href = action.href(instance);
      if (href !== null) window.open(href, '_blank', 'noopener');
    } else requestAction(action.id, [instance]);
  };
}

/** The same actions as menu entries, with lines between groups and reasons under what is not possible. */
export function useActionEntries(): (instance: Instance, leaveOut?: readonly string[]) => MenuEntry[] {
  const perform = usePerform();
  return (instance, leaveOut = []) => {
    const entries: MenuEntry[] = [];
    let group: string | null = null;
    for (const action of actionsFor(instance)) {
      if (leaveOut.includes(action.id)) continue;
      if (group !== null && group !== action.group) entries.push({ kind: 'separator', key: `line-${action.group}` });
      group = action.group;
      const needsMore = action.kind === 'form' || (action.kind === 'call' && action.confirm !== undefined);
      entries.push({
        key: action.id,
        label: needsMore ? `${action.label}…` : action.label,
        icon: <action.icon />,
        danger: action.danger ?? false,
        blocked: blockedReason(action, instance),
        shortcut: action.keys,
        onSelect: () => perform(action, instance),
      });
    }
    return entries;
  };
}
