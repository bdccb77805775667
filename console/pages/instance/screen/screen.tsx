import { Clipboard, Eye, Keyboard, RotateCw, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { FullScreenButton } from '../../../components/full-screen-button.tsx';
import { LinkBadge } from '../../../components/link-state.tsx';
import { NotPossible } from '../../../components/not-possible.tsx';
import { storage } from '../../../lib/store.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { CopyButton } from '../../../ui/copy-button.tsx';
import { Textarea } from '../../../ui/input.tsx';
import { Menu } from '../../../ui/menu.tsx';
import { Segmented } from '../../../ui/segmented.tsx';
import { Spinner } from '../../../ui/spinner.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { useInstance } from '../context.ts';
import type { ScreenControls, ScreenFit } from './use-screen.ts';
import { specialKeys, useScreen } from './use-screen.ts';

const FIT_KEY = 'berth.screen.fit';
const SHARE_KEY = 'berth.screen.clipboard';

export function ScreenTab() {
  const instance = useInstance();
  const ability = instance.can.screen;
  if (ability !== true) return <NotPossible instance={instance} title="No screen now" reason={ability} />;
  return (
    <ScreenView key={instance.id} id={instance.id} name={instance.name} running={instance.observed === 'running'} />
  );
}

function ClipboardPanel({
  screen,
  share,
  onShare,
  viewOnly,
  onClose,
}: {
  screen: ScreenControls;
  share: boolean;
  onShare: (on: boolean) => void;
  viewOnly: boolean;
  onClose: () => void;
}) {
  const [text, setText] = useState(screen.remoteClipboard);
  useEffect(() => setText(screen.remoteClipboard), [screen.remoteClipboard]);
  return (
    <aside
      aria-label="Clipboard"
      className="flex w-72 shrink-0 flex-col gap-3 border-line border-l bg-surface p-3 max-md:absolute max-md:inset-y-0 max-md:right-0 max-md:z-2"
    >
      <div className="flex items-center justify-between">
        <h2 className="text-sm">Clipboard</h2>
        <IconButton label="Close" size="sm" quiet onClick={onClose}>
          <X />
        </IconButton>
      </div>
      <Textarea
        aria-label="Text of the desktop’s clipboard"
        className="min-h-40 flex-1 resize-none !text-xs"
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder="What is copied in the desktop appears here. What you write here can be pasted there."
      />
      <div className="flex items-center gap-2">
        <Button
          size="sm"
          tone="primary"
          blocked={viewOnly ? 'Watching only.' : undefined}
          onClick={() => screen.sendClipboard(text)}
        >
          Send to the desktop
        </Button>
        <CopyButton text={text} label="Copy to this computer" />
      </div>
      {navigator.clipboard === undefined ? (
        <p className="text-faint text-xs">
          On plain HTTP the browser keeps its clipboard to itself: copy and paste through this panel.
        </p>
      ) : (
        <Switch checked={share} onChange={onShare} label="Keep both in step" hint="The browser may ask you once." />
      )}
    </aside>
  );
}

export function ScreenView({ id, name, running }: { id: string; name: string; running: boolean }) {
  const frame = useRef<HTMLDivElement>(null);
  const holder = useRef<HTMLDivElement>(null);
  const [fit, setFit] = useState<ScreenFit>(() => {
    const known = storage.get(FIT_KEY);
    return known === 'scale' || known === 'real' ? known : 'remote';
  });
  const [viewOnly, setViewOnly] = useState(false);
  const [clipboard, setClipboard] = useState(false);
  const [share, setShare] = useState(storage.get(SHARE_KEY) === 'on');
  const screen = useScreen(holder, id, { fit, viewOnly, shareClipboard: share, running });
  return (
    <section aria-label={`Screen of ${name}`} className="flex min-h-0 flex-1 flex-col">
      <div ref={frame} className="card flex min-h-90 flex-1 flex-col overflow-hidden [&:fullscreen]:rounded-none">
        <div className="flex min-h-11 flex-wrap items-center gap-1.5 border-line border-b px-2 py-1">
          <LinkBadge link={screen.link} />
          <div className="ml-auto flex flex-wrap items-center gap-1">
            <Segmented
              label="Size"
              className="max-sm:hidden"
              value={fit}
              onChange={(next) => {
                storage.set(FIT_KEY, next);
                setFit(next);
              }}
              options={[
                { value: 'remote', label: 'Fit', title: 'The desktop takes the size of this window' },
                { value: 'scale', label: 'Scale', title: 'The picture is shrunk to fit' },
                { value: 'real', label: '1:1', title: 'Every pixel as it is' },
              ]}
            />
            <Button
              size="sm"
              tone={viewOnly ? 'primary' : 'ghost'}
              icon={<Eye />}
              aria-pressed={viewOnly}
              onClick={() => setViewOnly(!viewOnly)}
            >
              {viewOnly ? 'Watching only' : 'Watch only'}
            </Button>
            <Menu
              label="Special keys"
              entries={specialKeys.map((each) => ({
                key: each.id,
                label: each.label,
                blocked: viewOnly ? 'Watching only.' : undefined,
                onSelect: () => screen.press(each.id),
              }))}
              trigger={
                <IconButton label="Send keys" size="sm" quiet>
                  <Keyboard />
                </IconButton>
              }
            />
            <IconButton label="Clipboard" size="sm" aria-pressed={clipboard} onClick={() => setClipboard(!clipboard)}>
              <Clipboard />
            </IconButton>
            <IconButton label="Connect again" size="sm" onClick={screen.reconnect}>
              <RotateCw />
            </IconButton>
            <FullScreenButton frame={frame} />
          </div>
        </div>
        <div className="relative flex min-h-0 flex-1">
          <div
            ref={holder}
            data-keys="own"
            data-testid="screen"
            className="min-h-0 min-w-0 flex-1 overflow-hidden bg-sunken [&_canvas]:outline-hidden"
          />
          {screen.link.state === 'connected' ? null : (
            <div
              role="status"
              className="late absolute inset-0 flex flex-col items-center justify-center gap-3 bg-scrim text-sm"
            >
              <div className="flex items-center gap-3 rounded-lg bg-raised px-4 py-3 shadow-pop">
                {screen.link.state === 'ended' ? (
                  <>
                    {screen.link.reason}
                    <Button size="sm" tone="primary" onClick={screen.reconnect}>
                      Connect again
                    </Button>
                  </>
                ) : (
                  <>
                    <Spinner />{' '}
                    {screen.link.state === 'connecting'
                      ? 'Connecting to the screen'
                      : `The connection was lost. Trying again (${screen.link.attempt})`}
                  </>
                )}
              </div>
            </div>
          )}
          {clipboard ? (
            <ClipboardPanel
              screen={screen}
              share={share}
              viewOnly={viewOnly}
              onShare={(on) => {
                storage.set(SHARE_KEY, on ? 'on' : 'off');
                setShare(on);
              }}
              onClose={() => setClipboard(false)}
            />
          ) : null}
        </div>
      </div>
    </section>
  );
}
