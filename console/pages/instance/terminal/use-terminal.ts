/** One terminal: xterm.js on a WebSocket to edge, with reconnects that keep session and scrollback. */
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Terminal } from '@xterm/xterm';
import type { RefObject } from 'react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { copyText, readClipboard } from '../../../lib/clipboard.ts';
import { randomToken } from '../../../lib/random.ts';
import { resolvedTheme } from '../../../lib/theme.ts';
import type { LinkState } from '../../../live/socket.ts';
import { edgeSocket, endOf, retryDelay } from '../../../live/socket.ts';
import { colours } from './colours.ts';

export type TerminalUser = 'berth' | 'root';
type ServerMessage =
  | { type: 'ready'; session: string; user: string; resumed: boolean }
  | { type: 'exit'; code: number }
  | { type: 'error'; message: string };

const SCROLLBACK_LINES = 10_000;
const FONT = '13px "JetBrains Mono Variable"';
const COLS = { min: 20, max: 500 };
const ROWS = { min: 5, max: 200 };

/** The session's id survives a reload of the page (same tab), so that the scrollback comes back. */
function sessionId(instance: string, user: TerminalUser, fresh: boolean): string {
  const key = `berth.terminal.${instance}.${user}`;
  try {
    const known = sessionStorage.getItem(key);
    if (known !== null && !fresh) return known;
    const made = randomToken(24);
    sessionStorage.setItem(key, made);
    return made;
  } catch {
    return randomToken(24);
  }
}

export type TerminalControls = {
  link: LinkState;
  exitCode: number | null;
  search: (text: string, back?: boolean) => void;
  copy: () => void;
  paste: () => void;
  /** Text waiting for a yes, because it has several lines. */
  pending: string | null;
  answerPaste: (yes: boolean) => void;
  restart: () => void;
  reconnect: () => void;
  focus: () => void;
};

export function useTerminal(
  holder: RefObject<HTMLDivElement | null>,
  instance: string,
  user: TerminalUser,
  running: boolean,
  screenReader: boolean,
): TerminalControls {
  const [link, setLink] = useState<LinkState>({ state: 'connecting' });
  const [exitCode, setExitCode] = useState<number | null>(null);
  const [pending, setPending] = useState<string | null>(null);
  const [round, setRound] = useState(0);
  const fresh = useRef(false);
  const terminal = useRef<Terminal | null>(null);
  const finder = useRef<SearchAddon | null>(null);

  /** Several lines run as soon as they arrive: ask first. */
  const guardedPaste = useCallback((text: string) => {
    if (/[\r\n]/.test(text.replace(/[\r\n]+$/, '')) || /[\r\n]$/.test(text)) setPending(text);
    else terminal.current?.paste(text);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` starts it anew
  useEffect(() => {
    const element = holder.current;
    if (element === null || !running) return;
    const term = new Terminal({
      fontFamily: '"JetBrains Mono Variable", monospace',
      fontSize: 13,
      lineHeight: 1.25,
      cursorBlink: true,
      scrollback: SCROLLBACK_LINES,
      theme: colours(),
      screenReaderMode: screenReader,
      allowProposedApi: true,
      minimumContrastRatio: 4.5,
    });
    const fit = new FitAddon();
    const search = new SearchAddon();
    term.loadAddon(fit);
    term.loadAddon(search);
    terminal.current = term;
    finder.current = search;
    let socket: WebSocket | null = null;
    let attempt = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    const encoder = new TextEncoder();
    const session = sessionId(instance, user, fresh.current);
    fresh.current = false;
    setExitCode(null);

    const size = () => ({
      cols: Math.max(COLS.min, Math.min(COLS.max, term.cols)),
      rows: Math.max(ROWS.min, Math.min(ROWS.max, term.rows)),
    });
    const send = (data: string | Uint8Array<ArrayBuffer>) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(typeof data === 'string' ? encoder.encode(data) : data);
    };

    function connect(): void {
      if (ended) return;
      setLink(attempt === 0 ? { state: 'connecting' } : { state: 'reconnecting', attempt });
      socket = new WebSocket(edgeSocket(instance, 'terminal', { session, user, ...size() }));
      socket.binaryType = 'arraybuffer';
      let over = false;
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
        if (typeof data !== 'string') {
          term.write(new Uint8Array(data));
          return;
        }
        const message = JSON.parse(data) as ServerMessage;
        if (message.type === 'ready') {
          attempt = 0;
          // What comes next is the whole scrollback: start from an empty screen, or it would stand there twice.
          term.reset();
          setLink({ state: 'connected' });
          socket?.send(JSON.stringify({ type: 'resize', ...size() }));
        } else if (message.type === 'exit') {
          over = true;
          setExitCode(message.code);
          setLink({ state: 'ended', reason: 'The session has ended.', final: true });
        } else {
          over = true;
          setLink({ state: 'ended', reason: message.message, final: false });
        }
      };
      socket.onclose = ({ code }) => {
        if (ended || over) return;
        const end = endOf(code);
        if (end !== null) {
          setLink({ state: 'ended', ...end });
          return;
        }
        timer = setTimeout(connect, retryDelay(attempt));
        attempt++;
        setLink({ state: 'reconnecting', attempt });
      };
    }

    const wake = () => {
      if (socket?.readyState === WebSocket.CLOSED && !ended && timer !== undefined) {
        clearTimeout(timer);
        connect();
      }
    };
    const onPaste = (event: ClipboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
      guardedPaste(event.clipboardData?.getData('text/plain') ?? '');
    };
    let observer: ResizeObserver | undefined;
    let disposed = false;
    // Cell sizes are measured when it opens: the font has to be there.
    void document.fonts
      .load(FONT)
      .catch(() => undefined)
      .then(() => {
        if (disposed) return;
        term.open(element);
        fit.fit();
        element.addEventListener('paste', onPaste, true);
        observer = new ResizeObserver(() => fit.fit());
        observer.observe(element);
        term.onData((data) => send(data));
        term.onBinary((data) => send(Uint8Array.from(data, (char) => char.charCodeAt(0))));
        term.onResize(() => {
          if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'resize', ...size() }));
        });
        term.attachCustomKeyEventHandler((event) => {
          if (event.type !== 'keydown' || !(event.ctrlKey || event.metaKey) || !event.shiftKey) return true;
          const key = event.key.toLowerCase();
          if (key === 'c') {
            event.preventDefault();
            void copyText(term.getSelection());
            return false;
          }
          if (key === 'v') {
            event.preventDefault();
            void readClipboard().then((text) => text !== null && guardedPaste(text));
            return false;
          }
          return true;
        });
        connect();
        term.focus();
      });
    addEventListener('online', wake);
    return () => {
      disposed = true;
      ended = true;
      clearTimeout(timer);
      removeEventListener('online', wake);
      element.removeEventListener('paste', onPaste, true);
      observer?.disconnect();
      socket?.close(1000);
      term.dispose();
      terminal.current = null;
    };
  }, [holder, instance, user, running, round, screenReader, guardedPaste]);

  const theme = resolvedTheme.use();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme's tokens are re-read when it changes
  useEffect(() => {
    if (terminal.current !== null) terminal.current.options.theme = colours();
  }, [theme]);

  return {
    link,
    exitCode,
    pending,
    search: (text, back = false) => {
      const options = {
        decorations: {
          matchBackground: '#0b6e82',
          matchOverviewRuler: '#0b6e82',
          activeMatchBackground: '#d98a12',
          activeMatchColorOverviewRuler: '#d98a12',
        },
      };
      if (text === '') finder.current?.clearDecorations();
      else if (back) finder.current?.findPrevious(text, options);
      else finder.current?.findNext(text, options);
    },
    copy: () => void copyText(terminal.current?.getSelection() ?? ''),
    paste: () => void readClipboard().then((text) => text !== null && guardedPaste(text)),
    answerPaste: (yes) => {
      if (yes && pending !== null) terminal.current?.paste(pending);
      setPending(null);
      terminal.current?.focus();
    },
    restart: () => {
      fresh.current = true;
      setRound((before) => before + 1);
    },
    reconnect: () => setRound((before) => before + 1),
    focus: () => terminal.current?.focus(),
  };
}
