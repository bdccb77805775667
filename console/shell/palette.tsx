import { Autocomplete } from '@base-ui/react/autocomplete';
import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import type { LucideIcon } from 'lucide-react';
import { Keyboard, Monitor, Moon, Plus, Search, Server, Sun, SunMoon } from 'lucide-react';
import { useDeferredValue, useMemo, useState } from 'react';
import { actionsFor, blockedReason } from '../actions/instances.ts';
import { instanceSlug, usePerform } from '../actions/use-actions.tsx';
import { apiQuery } from '../api/queries.ts';
import { stateWords } from '../lib/instance-view.ts';
import { projectSlug } from '../lib/scope.ts';
import { storage } from '../lib/store.ts';
import { setTheme } from '../lib/theme.ts';
import { Kbd } from '../ui/kbd.tsx';
import { navGroups } from './nav.ts';
import type { Scope } from './session.ts';

type Item = {
  value: string;
  label: string;
  detail?: string;
  icon: LucideIcon;
  shortcut?: string | undefined;
  blocked?: string | undefined;
  words?: string;
  run: () => void;
};
type Group = { value: string; items: Item[] };

const RECENT_KEY = 'berth.palette';
const RECENT_MAX = 5;
function recent(): string[] {
  try {
    return JSON.parse(storage.get(RECENT_KEY) ?? '[]') as string[];
  } catch {
    return [];
  }
}

/** Finds, goes and does: actions for this page, instances (name, id or address), navigation, theme. */
export function CommandPalette({
  scope,
  onClose,
  onShortcuts,
}: {
  scope: Scope;
  onClose: () => void;
  onShortcuts: () => void;
}) {
  const navigate = useNavigate();
  const perform = usePerform();
  const params = useParams({ strict: false }) as { instance?: string };
  const [text, setText] = useState('');
  const search = useDeferredValue(text);
  const { session, project } = scope;
  const slug = project === undefined ? '' : projectSlug(session, project);
  const listed = useQuery({
    ...apiQuery('instancesList', { params: { project: project?.id ?? '' }, query: { limit: 200 } }),
    enabled: project !== undefined,
  });

  const groups = useMemo<Group[]>(() => {
    const all = listed.data?.items ?? [];
    const current = all.find((each) => each.name === params.instance || each.id === params.instance);
    const result: Group[] = [];
    if (current !== undefined) {
      result.push({
        value: current.name,
        items: actionsFor(current).map((action) => ({
          value: `action:${action.id}`,
          label: `${action.label}${action.kind === 'form' || (action.kind === 'call' && action.confirm !== undefined) ? '…' : ''}`,
          icon: action.icon,
          shortcut: action.keys,
          blocked: blockedReason(action, current),
          run: () => perform(action, current),
        })),
      });
    }
    if (project !== undefined) {
      const create = (kind: 'desktop' | 'server') => () =>
        void navigate({ to: '/p/$project/instances/new', params: { project: slug }, search: { kind } });
      result.push({
        value: 'Create',
        items: [
          { value: 'create:desktop', label: 'New desktop', icon: Plus, shortcut: 'c', run: create('desktop') },
          { value: 'create:server', label: 'New server', icon: Plus, run: create('server') },
        ],
      });
      result.push({
        value: 'Instances',
        items: all.map((each) => ({
          value: each.id,
          label: each.name,
          detail: stateWords[each.state],
          icon: each.kind === 'desktop' ? Monitor : Server,
          words: `${each.id} ${each.address4 ?? ''} ${each.address6 ?? ''} ${each.url ?? ''} ${each.description}`,
          run: () =>
            void navigate({
              to: '/p/$project/instances/$instance',
              params: { project: slug, instance: instanceSlug(each) },
            }),
        })),
      });
    }
    result.push({
      value: 'Go to',
      items: navGroups(scope).flatMap((group) =>
        group.entries.map((entry) => ({
          value: `nav:${entry.key}`,
          label: entry.label,
          detail: group.label,
          icon: entry.icon,
          shortcut: entry.keys,
          run: () => void navigate({ to: entry.href }),
        })),
      ),
    });
    result.push({
      value: 'Console',
      items: [
        { value: 'theme:light', label: 'Light theme', icon: Sun, run: () => setTheme('light') },
        { value: 'theme:dark', label: 'Dark theme', icon: Moon, run: () => setTheme('dark') },
        { value: 'theme:system', label: 'Theme as the system', icon: SunMoon, run: () => setTheme('system') },
        { value: 'keys', label: 'Keyboard shortcuts', icon: Keyboard, shortcut: '?', run: onShortcuts },
      ],
    });
    return result;
  }, [listed.data, params.instance, scope, project, slug, navigate, perform, onShortcuts]);

  const shown = useMemo<Group[]>(() => {
    const words = search.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const hit = (item: Item, group: string) => {
      const hay = `${item.label} ${item.detail ?? ''} ${item.words ?? ''} ${group}`.toLowerCase();
      return words.every((word) => hay.includes(word));
    };
    if (words.length > 0)
      return groups
        .map((group) => ({ ...group, items: group.items.filter((item) => hit(item, group.value)).slice(0, 30) }))
        .filter((group) => group.items.length > 0);
    const used = recent();
    const byValue = new Map(groups.flatMap((group) => group.items.map((item) => [item.value, item])));
    const last = used.flatMap((value) => byValue.get(value) ?? []).filter((item) => item.value.startsWith('ins_'));
    const rest = groups.map((group) =>
      group.value === 'Instances'
        ? { ...group, items: group.items.filter((item) => !last.includes(item)).slice(0, 8) }
        : group,
    );
    return (last.length === 0 ? rest : [{ value: 'Recent', items: last }, ...rest]).filter(
      (group) => group.items.length > 0,
    );
  }, [groups, search]);

  function choose(item: Item) {
    if (item.blocked !== undefined) return;
    storage.set(
      RECENT_KEY,
      JSON.stringify([item.value, ...recent().filter((each) => each !== item.value)].slice(0, RECENT_MAX)),
    );
    onClose();
    // After the dialog gave the focus back, so that what opens next keeps it.
    setTimeout(item.run, 0);
  }

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Viewport className="fixed inset-0 z-40 flex items-start justify-center px-3 pt-[12vh]">
          <Dialog.Popup
            aria-label="Search and commands"
            className="flex max-h-[68vh] w-full max-w-xl flex-col overflow-hidden rounded-xl border border-line bg-raised shadow-pop outline-hidden"
          >
            <Autocomplete.Root
              open
              inline
              items={shown}
              value={text}
              onValueChange={setText}
              mode="none"
              autoHighlight="always"
              itemToStringValue={(item: Item) => item.label}
            >
              <div className="flex items-center gap-2.5 border-line border-b px-4">
                <Search className="size-4 text-faint" aria-hidden="true" />
                <Autocomplete.Input
                  aria-label="Search for instances, pages and actions"
                  placeholder="Name, id, address, or what to do…"
                  className="h-12 w-full bg-transparent text-base outline-hidden pointer-coarse:text-lg"
                />
                <Dialog.Close className="rounded-sm text-faint text-xs hover:text-text">
                  <Kbd>Esc</Kbd>
                  <span className="sr-only">Close</span>
                </Dialog.Close>
              </div>
              <Autocomplete.Empty>
                {shown.length === 0 ? (
                  <p className="px-4 py-8 text-center text-faint text-sm">Nothing matches “{text}”.</p>
                ) : null}
              </Autocomplete.Empty>
              <Autocomplete.List className="min-h-0 flex-1 scroll-py-2 overflow-y-auto overscroll-contain p-1.5">
                {(group: Group) => (
                  <Autocomplete.Group key={group.value} items={group.items} className="pb-1">
                    <Autocomplete.GroupLabel className="px-2.5 pt-2 pb-1 text-faint text-xs">
                      {group.value}
                    </Autocomplete.GroupLabel>
                    <Autocomplete.Collection>
                      {(item: Item) => (
                        <Autocomplete.Item
                          key={item.value}
                          value={item}
                          disabled={item.blocked !== undefined}
                          onClick={() => choose(item)}
                          className="flex h-9 cursor-default select-none items-center gap-2.5 rounded-md px-2.5 text-sm outline-hidden data-disabled:text-faint data-highlighted:bg-hover"
                        >
                          <item.icon className="size-4 shrink-0 text-faint" aria-hidden="true" />
                          <span className="truncate">{item.label}</span>
                          <span className="ml-auto truncate pl-4 text-faint text-xs">
                            {item.blocked ?? item.detail}
                          </span>
                          {item.shortcut === undefined ? null : (
                            <span className="flex gap-1">
                              {item.shortcut.split(' ').map((key) => (
                                <Kbd key={key}>{key}</Kbd>
                              ))}
                            </span>
                          )}
                        </Autocomplete.Item>
                      )}
                    </Autocomplete.Collection>
                  </Autocomplete.Group>
                )}
              </Autocomplete.List>
            </Autocomplete.Root>
          </Dialog.Popup>
        </Dialog.Viewport>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
