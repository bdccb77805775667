import '@xterm/xterm/css/xterm.css';
import { ArrowDown, ArrowUp, ClipboardPaste, Copy, RotateCw, Search } from 'lucide-react';
import { useRef, useState } from 'react';
import { FullScreenButton } from '../../../components/full-screen-button.tsx';
import { LinkBadge } from '../../../components/link-state.tsx';
import { NotPossible } from '../../../components/not-possible.tsx';
import { storage } from '../../../lib/store.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { Dialog } from '../../../ui/dialog.tsx';
import { Input } from '../../../ui/input.tsx';
import { Segmented } from '../../../ui/segmented.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { useInstance } from '../context.ts';
import type { TerminalUser } from './use-terminal.ts';
import { useTerminal } from './use-terminal.ts';

const READER_KEY = 'berth.terminal.screen-reader';

export function TerminalTab() {
  const instance = useInstance();
  const ability = instance.can.terminal;
  if (ability !== true) return <NotPossible instance={instance} title="No terminal now" reason={ability} />;
  return (
    <TerminalView key={instance.id} id={instance.id} name={instance.name} running={instance.observed === 'running'} />
  );
}

function TerminalView({ id, name, running }: { id: string; name: string; running: boolean }) {
  const frame = useRef<HTMLDivElement>(null);
  const holder = useRef<HTMLDivElement>(null);
  const [user, setUser] = useState<TerminalUser>('berth');
  const [finding, setFinding] = useState(false);
  const [text, setText] = useState('');
  const [reader, setReader] = useState(storage.get(READER_KEY) === 'on');
  const term = useTerminal(holder, id, user, running, reader);
  const lines = term.pending?.split(/\r\n|\r|\n/).length ?? 0;
  return (
    <section aria-label={`Terminal of ${name}`} className="flex min-h-0 flex-1 flex-col">
      <div ref={frame} className="card flex min-h-100 flex-1 flex-col overflow-hidden [&:fullscreen]:rounded-none">
        <div className="flex min-h-11 flex-wrap items-center gap-1.5 border-line border-b px-2 py-1">
          <Segmented
            label="Signed in as"
            value={user}
            onChange={setUser}
            options={[
              { value: 'berth', label: 'berth', title: 'The ordinary person of the instance' },
              { value: 'root', label: 'root', title: 'The administrator of the instance' },
            ]}
          />
          <LinkBadge link={term.link} />
          <div className="ml-auto flex items-center gap-0.5">
            {finding ? (
              <form
                className="flex items-center gap-0.5"
                onSubmit={(event) => {
                  event.preventDefault();
                  term.search(text);
                }}
              >
                <Input
                  autoFocus
                  aria-label="Search in the terminal"
                  placeholder="Search"
                  className="!h-7 !w-44"
                  value={text}
                  onChange={(event) => {
                    setText(event.target.value);
                    term.search(event.target.value);
                  }}
                  onKeyDown={(event) => {
                    if (event.key !== 'Escape') return;
                    setFinding(false);
                    term.search('');
                    term.focus();
                  }}
                />
                <IconButton label="Previous" size="sm" onClick={() => term.search(text, true)}>
                  <ArrowUp />
                </IconButton>
                <IconButton label="Next" size="sm" onClick={() => term.search(text)}>
                  <ArrowDown />
                </IconButton>
              </form>
            ) : null}
            <IconButton label="Search" size="sm" aria-pressed={finding} onClick={() => setFinding(!finding)}>
              <Search />
            </IconButton>
            <IconButton label="Copy the selection" shortcut="Ctrl Shift C" size="sm" onClick={term.copy}>
              <Copy />
            </IconButton>
            <IconButton label="Paste" shortcut="Ctrl Shift V" size="sm" onClick={term.paste}>
              <ClipboardPaste />
            </IconButton>
            <IconButton label="New session" size="sm" onClick={term.restart}>
              <RotateCw />
            </IconButton>
            <FullScreenButton frame={frame} />
          </div>
        </div>
        {term.link.state === 'ended' ? (
          <div
            role="status"
            className="flex flex-wrap items-center gap-3 border-line border-b bg-sunken px-3 py-2 text-sm"
          >
            <span className="flex-1">
              {term.link.reason}
              {term.exitCode === null || term.exitCode === 0 ? '' : ` Exit code ${term.exitCode}.`}
            </span>
            <Button size="sm" tone="primary" onClick={term.exitCode === null ? term.reconnect : term.restart}>
              {term.exitCode === null ? 'Connect again' : 'New session'}
            </Button>
          </div>
        ) : null}
        <div
          ref={holder}
          data-keys="own"
          data-testid="terminal"
          className="min-h-0 flex-1 overflow-hidden p-2 [&_.xterm]:h-full [&_.xterm-viewport]:!bg-transparent"
        />
      </div>
      <div className="mt-2 flex flex-wrap items-center justify-between gap-2 text-faint text-xs">
        <p>The session goes on for 10 minutes after you leave; coming back shows what happened meanwhile.</p>
        <Switch
          compact
          checked={reader}
          onChange={(on) => {
            storage.set(READER_KEY, on ? 'on' : 'off');
            setReader(on);
          }}
          label="Screen reader mode"
        />
      </div>
      <Dialog
        open={term.pending !== null}
        onClose={() => term.answerPaste(false)}
        title={`Paste ${lines} lines?`}
        description="Each line runs as soon as it is pasted."
        footer={
          <>
            <Button onClick={() => term.answerPaste(false)}>Cancel</Button>
            <Button tone="primary" onClick={() => term.answerPaste(true)}>
              Paste
            </Button>
          </>
        }
      >
        <pre className="max-h-72 overflow-auto whitespace-pre-wrap break-all rounded-md border border-line bg-code p-3 text-xs">
          {term.pending}
        </pre>
      </Dialog>
    </section>
  );
}
