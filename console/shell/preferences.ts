/** What a person chose for themselves, kept with the account and applied here: theme, dates, time zone. */
import { useEffect } from 'react';
import type { OutputOf } from '../api/client.ts';
import { call } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { setFormats } from '../lib/format.ts';
import type { Theme } from '../lib/theme.ts';
import { setTheme } from '../lib/theme.ts';
import { sessionQuery } from './session.ts';

export type Preferences = OutputOf<'whoami'>['preferences'];

/** Applies what the account says, on every device and after every change. */
export function usePreferences({ theme, language, timeZone }: Preferences): void {
  setFormats({ language, timeZone });
  useEffect(() => setTheme(theme), [theme]);
}

/** Shows the theme at once and keeps it with the account; without a connection it stays with this browser. */
export async function chooseTheme(theme: Theme): Promise<void> {
  setTheme(theme);
  queryClient.setQueryData(sessionQuery.queryKey, (session) =>
    session === undefined ? undefined : { ...session, preferences: { ...session.preferences, theme } },
  );
  await call('accountUpdate', { body: { theme } }).catch(() => undefined);
}
