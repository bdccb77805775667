import { iso } from './state.ts';

/** What a command of a stack says, for the log `run:...`. */
export function runLines(): { ts: string; unit: string; priority: number; message: string }[] {
  return [
    ' Network status_default  Creating',
    ' Network status_default  Created',
    ' Container status-db-1  Starting',
    ' Container status-db-1  Started',
    ' Container status-web-1  Starting',
    ' Container status-web-1  Started',
  ].map((message, index) => ({ ts: iso(Date.now() - (6 - index) * 400), unit: 'docker', priority: 6, message }));
}
