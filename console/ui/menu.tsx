import { Menu as Base } from '@base-ui/react/menu';
import { Ellipsis } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { IconButton } from './button.tsx';
import { cx } from './cx.ts';
import { Kbd, shortcutText } from './kbd.tsx';

export type MenuEntry =
  | {
      kind?: 'item';
      key: string;
      label: ReactNode;
      icon?: ReactNode;
      shortcut?: string | undefined;
      danger?: boolean;
      /** Reason why not; shown under the label, and the entry does nothing. */
      blocked?: string | undefined;
      checked?: boolean;
      hint?: ReactNode;
      /** Renders the item as this element, for links. */
      render?: ReactElement<Record<string, unknown>>;
      onSelect?: () => void;
    }
  | { kind: 'separator'; key: string }
  | { kind: 'label'; key: string; label: ReactNode };

export const menuPopupClass =
  'min-w-52 max-w-80 rounded-lg border border-line bg-raised p-1 shadow-pop outline-hidden transition-opacity duration-75 data-ending-style:opacity-0 data-starting-style:opacity-0';

/** A menu of actions. `trigger` is one button element. */
export function Menu({
  trigger,
  entries,
  align = 'end',
  label,
}: {
  trigger: ReactElement;
  entries: readonly MenuEntry[];
  align?: 'start' | 'end';
  label?: string;
}) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger as ReactElement<Record<string, unknown>>} />
      <Base.Portal>
        <Base.Positioner sideOffset={4} align={align} className="z-50 outline-hidden">
          <Base.Popup className={menuPopupClass} aria-label={label}>
            {entries.map((entry) => {
              if (entry.kind === 'separator')
                return <Base.Separator key={entry.key} className="mx-1 my-1 h-px bg-line" />;
              if (entry.kind === 'label')
                return (
                  <div key={entry.key} className="px-2 pt-1.5 pb-1 text-xs text-faint">
                    {entry.label}
                  </div>
                );
              return (
                <Base.Item
                  key={entry.key}
                  disabled={entry.blocked !== undefined}
                  render={entry.render}
                  onClick={entry.onSelect}
                  className={cx(
                    'flex cursor-default select-none items-center gap-2.5 rounded-md px-2 py-1.5 text-sm outline-hidden data-highlighted:bg-hover [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-faint',
                    entry.danger === true && entry.blocked === undefined && 'text-bad [&_svg]:text-bad',
                    entry.blocked !== undefined && 'text-faint',
                  )}
                >
                  {entry.icon}
                  <span className="min-w-0 flex-1">
                    <span className="block truncate">{entry.label}</span>
                    {entry.blocked === undefined ? null : (
                      <span className="block text-xs text-faint">{entry.blocked}</span>
                    )}
                    {entry.hint === undefined ? null : (
                      <span className="block truncate text-xs text-faint">{entry.hint}</span>
                    )}
                  </span>
                  {entry.checked === true ? <span className="text-accent">✓</span> : null}
                  {entry.shortcut === undefined ? null : <Kbd>{shortcutText(entry.shortcut)}</Kbd>}
                </Base.Item>
              );
            })}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

/** What can be done with one row, behind three dots. `of` names the row. */
export function ActionsMenu({ of, entries }: { of: string; entries: readonly MenuEntry[] }) {
  const label = `Actions of ${of}`;
  return (
    <Menu
      label={label}
      entries={entries}
      trigger={
        <IconButton label={label} size="sm" quiet>
          <Ellipsis />
        </IconButton>
      }
    />
  );
}
