/** Terminals in the console's colours; read anew when the theme changes. */
import type { ITheme } from '@xterm/xterm';
import { resolvedTheme, token } from '../../../lib/theme.ts';

export function colours(): ITheme {
  const dark = resolvedTheme.get() === 'dark';
  return {
    background: token('surface'),
    foreground: token('text'),
    cursor: token('accent'),
    cursorAccent: token('surface'),
    selectionBackground: dark ? '#1f5966' : '#bfe3ea',
    black: dark ? '#22303a' : '#13212b',
    brightBlack: dark ? '#74858f' : '#5d6d79',
    red: token('bad'),
    brightRed: token('bad'),
    green: token('ok'),
    brightGreen: token('ok'),
    yellow: token('warn'),
    brightYellow: token('warn'),
    blue: token('busy'),
    brightBlue: token('busy'),
    magenta: dark ? '#d2a8ff' : '#7b3fb5',
    brightMagenta: dark ? '#e2c5ff' : '#7b3fb5',
    cyan: token('accent'),
    brightCyan: token('accent-strong'),
    white: dark ? '#b3c1cb' : '#43535f',
    brightWhite: token('text'),
  };
}
