import { shortcutStore } from '../lib/keyboard.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Kbd, shortcutText } from '../ui/kbd.tsx';

/** Every shortcut that works right now. */
export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  const all = shortcutStore.use();
  const unique = [...new Map(all.map((each) => [each.keys, each])).values()];
  const groups = [...new Set(unique.map((each) => each.group))];
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title="Keyboard shortcuts"
      description="Single keys are off while you type, and inside terminals and screens. They can be switched off under Appearance."
    >
      <div className="grid gap-x-10 gap-y-5 sm:grid-cols-2">
        {groups.map((group) => (
          <section key={group}>
            <h3 className="mb-2 text-faint text-xs">{group}</h3>
            <ul className="flex flex-col gap-1.5">
              {unique
                .filter((each) => each.group === group)
                .map((each) => (
                  <li key={each.keys} className="flex items-center justify-between gap-4 text-sm">
                    <span>{each.label}</span>
                    <span className="flex gap-1">
                      {(each.keys.startsWith('mod+') ? [shortcutText(each.keys)] : each.keys.split(' ')).map((key) => (
                        <Kbd key={key}>{key === 'Enter' ? '↵' : key}</Kbd>
                      ))}
                    </span>
                  </li>
                ))}
            </ul>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
