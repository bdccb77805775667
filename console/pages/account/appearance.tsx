import { Monitor, Moon, Sun } from 'lucide-react';
import { setShortcutsEnabled, shortcutsEnabled } from '../../lib/keyboard.ts';
import { themeStore } from '../../lib/theme.ts';
import { chooseTheme } from '../../shell/preferences.ts';
import { Card } from '../../ui/card.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { Switch } from '../../ui/switch.tsx';

export function AppearanceTab() {
  const theme = themeStore.use();
  const keys = shortcutsEnabled.use();
  return (
    <div className="flex flex-col gap-5">
      <Card title="Theme">
        <Segmented
          label="Theme"
          value={theme}
          onChange={(theme) => void chooseTheme(theme)}
          options={[
            {
              value: 'light',
              label: (
                <>
                  <Sun aria-hidden="true" /> Light
                </>
              ),
            },
            {
              value: 'dark',
              label: (
                <>
                  <Moon aria-hidden="true" /> Dark
                </>
              ),
            },
            {
              value: 'system',
              label: (
                <>
                  <Monitor aria-hidden="true" /> As the system
                </>
              ),
            },
          ]}
        />
        <p className="mt-2 text-faint text-xs">Kept with your account: the same on every device.</p>
      </Card>
      <Card title="Keyboard">
        <Switch
          checked={keys}
          onChange={setShortcutsEnabled}
          label="Single-key shortcuts"
          hint="Keys such as j, k, c, or g then i. Press ? to see all. Off, only combinations with Ctrl or ⌘ stay."
        />
      </Card>
    </div>
  );
}
