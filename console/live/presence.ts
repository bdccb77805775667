/**
 * A session that nobody uses ends. Working in a screen or a terminal is use, but the server does not see it: those go
 * through edge. So while somebody touches mouse or keyboard, the server is asked who they are now and then.
 */
import { call } from '../api/client.ts';

const EVERY_MS = 5 * 60_000;
const signs = ['keydown', 'pointerdown', 'wheel'] as const;

/** Listens until the returned function is called. */
export function showPresence(): () => void {
  let askedAt = Date.now();
  const onSign = (): void => {
    if (Date.now() - askedAt < EVERY_MS) return;
    askedAt = Date.now();
    // Who was signed out meanwhile is led to sign in by the client itself.
    call('whoami', {}).catch(() => {});
  };
  for (const sign of signs) window.addEventListener(sign, onSign, { capture: true, passive: true });
  return () => {
    for (const sign of signs) window.removeEventListener(sign, onSign, { capture: true });
  };
}
