/** Has wildcard certificates made and made again in time, one after the other. */
import { dueWildcards, followPlatform } from '../store/wildcards.ts';
import { makeWildcard, type WildcardWork } from '../workflows/wildcard.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 30_000;
const AT_ONCE_MAX = 20;

export function wildcardKeeper(work: WildcardWork): Reconciler {
  return {
    name: 'wildcard-keeper',
    everyMs: EVERY_MS,
    async run(signal) {
      const now = new Date(work.now());
      await followPlatform(work.db, work.platform, now);
      const due = await dueWildcards(work.db, now, AT_ONCE_MAX);
      let made = 0;
      for (const { id } of due) {
        if (signal.aborted) break;
        if (await makeWildcard(work, id)) made++;
      }
      return due.length === 0 ? null : `made ${made} of ${due.length} wildcard certificates`;
    },
  };
}
