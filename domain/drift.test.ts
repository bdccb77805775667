import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { driftOf, REPAIR_ATTEMPTS_MAX, repairPauseMs } from './drift.ts';
import { desiredStates, observedStates } from './instances.ts';

const size = { cpus: 1, memoryBytes: 1024 ** 3, diskBytes: 10 * 1024 ** 3 };

describe('driftOf', () => {
  it('V1: nothing differs when it is as wanted', () => {
    for (const desired of desiredStates) expect(driftOf({ desired, size }, { state: desired, size })).toBeNull();
  });

  it('V1: what is on its way is left alone', () => {
    for (const desired of desiredStates) {
      for (const state of ['starting', 'stopping', 'unknown'] as const) {
        expect(driftOf({ desired, size }, { state, size })).toBeNull();
      }
    }
  });

  it('V1: names the repair for each kind of difference', () => {
    const repair = (desired: (typeof desiredStates)[number], state: (typeof observedStates)[number]) =>
      driftOf({ desired, size }, { state, size })?.repair;
    expect(repair('running', 'stopped')).toEqual({ type: 'power', action: 'start' });
    expect(repair('running', 'paused')).toEqual({ type: 'power', action: 'resume' });
    expect(repair('running', 'error')).toEqual({ type: 'power', action: 'start' });
    expect(repair('stopped', 'running')).toEqual({ type: 'power', action: 'stop' });
    expect(repair('paused', 'running')).toEqual({ type: 'power', action: 'pause' });
    expect(repair('paused', 'stopped')).toBeNull();
    expect(driftOf({ desired: 'running', size }, null)?.repair).toBeNull();
  });

  it('V1: changed limits are set again; a disk that is larger is no drift', () => {
    const changed = driftOf({ desired: 'running', size }, { state: 'running', size: { ...size, cpus: 4 } });
    expect(changed).toEqual({ text: "Its CPU limit was changed behind Berth's back.", repair: { type: 'resize' } });
    const larger = { ...size, diskBytes: size.diskBytes * 2 };
    expect(driftOf({ desired: 'running', size }, { state: 'running', size: larger })).toBeNull();
    expect(driftOf({ desired: 'running', size: larger }, { state: 'running', size })?.repair).toEqual({
      type: 'resize',
    });
  });

  it('V1: a repair always leads to what is wanted, or there is none', () => {
    const leadsTo = {
      start: 'running',
      restart: 'running',
      resume: 'running',
      pause: 'paused',
      stop: 'stopped',
    } as const;
    fc.assert(
      fc.property(fc.constantFrom(...desiredStates), fc.constantFrom(...observedStates), (desired, state) => {
        const repair = driftOf({ desired, size }, { state, size })?.repair ?? null;
        if (repair?.type === 'power') expect(leadsTo[repair.action]).toBe(desired);
      }),
    );
  });
});

it('V1: pauses between repairs grow and are bounded', () => {
  const pauses = Array.from({ length: REPAIR_ATTEMPTS_MAX + 10 }, (_, attempt) => repairPauseMs(attempt + 1));
  expect(pauses[0]).toBe(5_000);
  expect(pauses.every((pause, index) => index === 0 || pause >= (pauses[index - 1] ?? 0))).toBe(true);
  expect(Math.max(...pauses)).toBe(300_000);
});
