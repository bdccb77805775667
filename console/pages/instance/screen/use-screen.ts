/** One remote screen: noVNC on a WebSocket to edge. Credentials never come here: edge speaks them to the desktop. */
import RFB from '@novnc/novnc';
import type { RefObject } from 'react';
import { useEffect, useRef, useState } from 'react';
import { copyText, readClipboard } from '../../../lib/clipboard.ts';
import type { LinkState } from '../../../live/socket.ts';
import { edgeSocket, endOf, retryDelay } from '../../../live/socket.ts';

/** `remote`: the desktop takes the size of the window (scaled where it cannot); `scale`: shrunk to fit; `real`: 1:1. */
export type ScreenFit = 'remote' | 'scale' | 'real';

/** X11 key symbols of the keys that browsers keep for themselves. */
const KEY = {
  control: 0xffe3,
  alt: 0xffe9,
  super: 0xffeb,
  escape: 0xff1b,
  tab: 0xff09,
  f4: 0xffc1,
  print: 0xff61,
  l: 0x6c,
} as const;
export const specialKeys = [
  { id: 'cad', label: 'Ctrl + Alt + Del', keys: null },
  { id: 'super', label: 'Super (menu)', keys: [KEY.super] },
  { id: 'alt-tab', label: 'Alt + Tab', keys: [KEY.alt, KEY.tab] },
  { id: 'alt-f4', label: 'Alt + F4', keys: [KEY.alt, KEY.f4] },
  { id: 'ctrl-esc', label: 'Ctrl + Esc', keys: [KEY.control, KEY.escape] },
  { id: 'esc', label: 'Esc', keys: [KEY.escape] },
  { id: 'print', label: 'Print Screen', keys: [KEY.print] },
  { id: 'ctrl-alt-l', label: 'Ctrl + Alt + L', keys: [KEY.control, KEY.alt, KEY.l] },
] as const;

export type ScreenControls = {
  link: LinkState;
  /** Last text the desktop put on its clipboard. */
  remoteClipboard: string;
  sendClipboard: (text: string) => void;
  press: (id: (typeof specialKeys)[number]['id']) => void;
  reconnect: () => void;
  focus: () => void;
};

export function useScreen(
  holder: RefObject<HTMLDivElement | null>,
  instance: string,
  options: { fit: ScreenFit; viewOnly: boolean; shareClipboard: boolean; running: boolean },
): ScreenControls {
  const { fit, viewOnly, shareClipboard, running } = options;
  const [link, setLink] = useState<LinkState>({ state: 'connecting' });
  const [remoteClipboard, setRemoteClipboard] = useState('');
  const [round, setRound] = useState(0);
  const rfb = useRef<RFB | null>(null);
  const share = useRef(shareClipboard);
  share.current = shareClipboard;
  const fitNow = useRef(fit);
  fitNow.current = fit;
  const lastSent = useRef('');

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` starts it anew
  useEffect(() => {
    const element = holder.current;
    if (element === null || !running) return;
    let attempt = 0;
    let ended = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function connect(): void {
      if (ended || element === null) return;
      setLink(attempt === 0 ? { state: 'connecting' } : { state: 'reconnecting', attempt });
      const socket = new WebSocket(edgeSocket(instance, 'screen', { view_only: viewOnly ? 1 : 0 }));
      let code = 0;
      socket.addEventListener('close', (event) => {
        code = event.code;
      });
      const screen = new RFB(element, socket, { shared: true });
      rfb.current = screen;
      screen.background = 'transparent';
      screen.viewOnly = viewOnly;
      screen.showDotCursor = true;
      screen.qualityLevel = 7;
      applyFit(screen, fitNow.current);
      screen.addEventListener('connect', () => {
        attempt = 0;
        setLink({ state: 'connected' });
        screen.focus({ preventScroll: true });
      });
      screen.addEventListener('clipboard', (event) => {
        const { text } = (event as CustomEvent<{ text: string }>).detail;
        setRemoteClipboard(text);
        if (share.current && document.hasFocus() && text !== lastSent.current) void copyText(text);
      });
      screen.addEventListener('disconnect', () => {
        if (rfb.current === screen) rfb.current = null;
        if (ended) return;
        // The socket's own close event, with the reason, may come just after.
        timer = setTimeout(() => {
          const end = endOf(code);
          if (end !== null) {
            setLink({ state: 'ended', ...end });
            return;
          }
          timer = setTimeout(connect, retryDelay(attempt));
          attempt++;
          setLink({ state: 'reconnecting', attempt });
        }, 0);
      });
    }

    const giveClipboard = () => {
      if (!share.current || viewOnly) return;
      void readClipboard().then((text) => {
        if (text === null || text === '' || text === lastSent.current) return;
        lastSent.current = text;
        rfb.current?.clipboardPasteFrom(text);
      });
    };
    connect();
    element.addEventListener('focusin', giveClipboard);
    addEventListener('focus', giveClipboard);
    return () => {
      ended = true;
      clearTimeout(timer);
      element.removeEventListener('focusin', giveClipboard);
      removeEventListener('focus', giveClipboard);
      rfb.current?.disconnect();
      rfb.current = null;
    };
  }, [holder, instance, viewOnly, running, round]);

  useEffect(() => {
    if (rfb.current !== null) applyFit(rfb.current, fit);
  }, [fit]);

  return {
    link,
    remoteClipboard,
    sendClipboard: (text) => {
      lastSent.current = text;
      rfb.current?.clipboardPasteFrom(text);
    },
    press: (id) => {
      const screen = rfb.current;
      if (screen === null) return;
      const keys = specialKeys.find((each) => each.id === id)?.keys ?? null;
      if (keys === null) screen.sendCtrlAltDel();
      else {
        for (const key of keys) screen.sendKey(key, null, true);
        for (const key of [...keys].reverse()) screen.sendKey(key, null, false);
      }
      screen.focus();
    },
    reconnect: () => setRound((before) => before + 1),
    focus: () => rfb.current?.focus(),
  };
}

function applyFit(screen: RFB, fit: ScreenFit): void {
  screen.resizeSession = fit === 'remote';
  screen.scaleViewport = fit !== 'real';
  screen.clipViewport = fit === 'real';
  screen.dragViewport = false;
}
