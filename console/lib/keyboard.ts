/**
 * Keyboard shortcuts of the whole console. Single keys and two-key sequences ('g i') are off while typing, inside
 * terminals and screens, while a dialog is open, and when switched off in the settings.
 */
import { useEffect, useRef } from 'react';
import { createStore, storage } from './store.ts';

export type Shortcut = { keys: string; label: string; group: string; run: () => void };

/** A second key of a sequence has to follow within this time (milliseconds). */
const SEQUENCE_MS = 1200;
const SETTING = 'berth.shortcuts';

export const shortcutsEnabled = createStore(storage.get(SETTING) !== 'off');
export function setShortcutsEnabled(on: boolean): void {
  storage.set(SETTING, on ? 'on' : 'off');
  shortcutsEnabled.set(on);
}

/** What is registered at the moment; the `?` sheet shows it. */
export const shortcutStore = createStore<readonly Shortcut[]>([]);

/** Registers shortcuts while the component is mounted. Later ones win over earlier ones with the same keys. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  const signature = shortcuts.map((each) => `${each.keys}=${each.label}`).join('|');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the signature stands for the list; `run` is read through the ref
  useEffect(() => {
    const mine = latest.current.map((each) => ({
      ...each,
      run: () => latest.current.find((one) => one.keys === each.keys)?.run(),
    }));
    shortcutStore.set((before) => [...before, ...mine]);
    return () => shortcutStore.set((before) => before.filter((each) => !mine.includes(each)));
  }, [signature]);
}

/** True when keys belong to what has the focus: a field, a terminal, a screen. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest('[data-keys="own"]') !== null) return true;
  const tag = target.tagName;
  if (tag === 'INPUT') return !['checkbox', 'radio', 'button', 'submit'].includes((target as HTMLInputElement).type);
  return tag === 'TEXTAREA' || tag === 'SELECT' || target.isContentEditable;
}

/** Name of a pressed key in the notation of shortcuts: 'mod+k', '?', 'g', 'Enter'. */
export function keyName(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.metaKey || event.ctrlKey ? `mod+${key}` : key;
}

let pending = '';
let pendingAt = 0;

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const name = keyName(event);
  const modified = name.startsWith('mod+');
  if (!modified) {
    if (!shortcutsEnabled.get() || isTyping(event.target)) return;
    if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]') !== null)
      return;
  } else if (event.target instanceof HTMLElement && event.target.closest('[data-keys="own"]') !== null) return;
  const all = shortcutStore.get();
  const find = (keys: string) => all.findLast((each) => each.keys === keys);
  const sequence = pending !== '' && Date.now() - pendingAt < SEQUENCE_MS ? find(`${pending} ${name}`) : undefined;
  pending = '';
  const found = sequence ?? find(name);
  if (found !== undefined) {
    event.preventDefault();
    found.run();
    return;
  }
  if (!modified && all.some((each) => each.keys.startsWith(`${name} `))) {
    pending = name;
    pendingAt = Date.now();
  }
}

/** Starts listening; call once. */
export function listenForShortcuts(): () => void {
  document.addEventListener('keydown', onKeyDown);
  return () => document.removeEventListener('keydown', onKeyDown);
}
