/** Time and randomness, handed in so that tests decide both. */
import { randomBytes } from 'node:crypto';
import { type Id, type IdPrefix, makeId } from '#domain/ids.ts';

export type Clock = {
  now(): Date;
};
export const systemClock: Clock = { now: () => new Date() };

/** Makes ids; `random` is replaceable in tests. */
export type Ids = {
  make<P extends IdPrefix>(prefix: P): Id<P>;
  /** `bytes` of randomness fit for secrets. */
  random(bytes: number): Buffer;
};

export function systemIds(clock: Clock = systemClock): Ids {
  return {
    make: (prefix) => makeId(prefix, clock.now().getTime(), randomBytes),
    random: (bytes) => randomBytes(bytes),
  };
}
