/**
 * Hands every wanted port forward to the host: the whole list, so that lost ones come back and strange ones go. At once
 * when a row has changed, every minute otherwise; what the host made of each is written beside it.
 */
import type { ForwardSpec } from '#drivers/interface.ts';
import type { ForwardRecord } from '../store/forwards.ts';
import { recordForwardState, wantedForwards } from '../store/forwards.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

/** Only a look at the rows; another replica may have changed them. */
const EVERY_MS = 1_000;
const AGAIN_MS = 60_000;

export function forwardKeeper(services: Services, everyMs = EVERY_MS): Reconciler {
  let handed = '';
  let handedAt = Number.NEGATIVE_INFINITY;
  return {
    name: 'forward-keeper',
    everyMs,
    async run() {
      const wanted = await wantedForwards(services.db);
      // With the project: what has moved has another address.
      const digest = JSON.stringify(wanted.map((forward) => [specOf(forward), forward.project]));
      const pending = wanted.some((forward) => forward.state === 'pending');
      if (digest === handed && !pending && services.now() - handedAt < AGAIN_MS) return null;
      const answers = await services.driver.setForwards(wanted.map(specOf));
      const states = new Map(answers.map((answer) => [`${answer.protocol}/${answer.hostPort}`, answer.state]));
      let changed = 0;
      for (const forward of wanted) {
        const state = states.get(`${forward.protocol}/${forward.hostPort}`) ?? 'absent';
        if (await recordForwardState(services.db, forward, state)) changed++;
      }
      const news = digest !== handed;
      handed = digest;
      handedAt = services.now();
      return news || changed > 0 ? `${wanted.length} port forwards at the host, ${changed} in another state` : null;
    },
  };
}

function specOf({ protocol, hostPort, instance, port }: ForwardRecord): ForwardSpec {
  return { protocol, hostPort, instance, port };
}
