/** Light, dark or as the system says. lib/theme-boot.js does the same before first paint. */
import { createStore, storage } from './store.ts';

export type Theme = 'light' | 'dark' | 'system';
const KEY = 'berth.theme';

function stored(): Theme {
  const value = storage.get(KEY);
  return value === 'light' || value === 'dark' ? value : 'system';
}

export const themeStore = createStore<Theme>(stored());

function isDark(theme: Theme): boolean {
  return theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
}

function apply(theme: Theme): void {
  const dark = isDark(theme);
  const root = document.documentElement;
  root.dataset.theme = dark ? 'dark' : 'light';
  root.style.colorScheme = dark ? 'dark' : 'light';
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', dark ? '#0f161c' : '#f6f8f9');
  resolvedTheme.set(dark ? 'dark' : 'light');
}

/** What is really shown; canvas widgets re-read their colours when it changes. */
export const resolvedTheme = createStore<'light' | 'dark'>(isDark(stored()) ? 'dark' : 'light');

export function setTheme(theme: Theme): void {
  storage.set(KEY, theme);
  themeStore.set(theme);
  apply(theme);
}

/** Follows the system's choice while the theme is `system`, and other tabs. Call once. */
export function watchTheme(): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => apply(themeStore.get()));
  addEventListener('storage', (event) => {
    if (event.key !== KEY) return;
    themeStore.set(stored());
    apply(stored());
  });
}

/** A design token's current value, for canvas widgets. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
