import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  desiredStates,
  displayState,
  displayStates,
  healthStates,
  type InstanceFacts,
  instanceAbility,
  instanceKinds,
  instancePhases,
  instanceVerbs,
  observedStates,
} from './instances.ts';

const facts: fc.Arbitrary<InstanceFacts> = fc.record({
  phase: fc.constantFrom(...instancePhases),
  desired: fc.constantFrom(...desiredStates),
  observed: fc.constantFrom(...observedStates),
  health: fc.constantFrom(...healthStates),
  busyWith: fc.option(fc.constant('Restarting'), { nil: null }),
  protected: fc.boolean(),
});
const calm: InstanceFacts = {
  phase: 'ready',
  desired: 'running',
  observed: 'running',
  health: 'healthy',
  busyWith: null,
  protected: false,
};

describe('instance rules', () => {
  it('V10: a state is shown for every combination, and "running" only when it was observed running and not unhealthy', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const shown = displayState(given);
        expect(displayStates).toContain(shown);
        if (shown === 'running') {
          expect(given.observed).toBe('running');
          expect(given.health).not.toBe('unhealthy');
        }
      }),
    );
  });
  it('shows drift when observed differs from desired and nothing is at work', () => {
    expect(displayState({ ...calm, observed: 'stopped' })).toBe('drifted');
    expect(displayState({ ...calm, observed: 'stopped', busyWith: 'Starting' })).toBe('starting');
  });
  it('every refusal has a reason for people', () => {
    fc.assert(
      fc.property(fc.constantFrom(...instanceVerbs), fc.constantFrom(...instanceKinds), facts, (verb, kind, given) => {
        const ability = instanceAbility(verb, kind, given);
        if (ability !== true) expect(ability.length).toBeGreaterThan(5);
      }),
    );
  });
  it('an archived instance can only be restored or purged; protection blocks archive and purge', () => {
    const archived = { ...calm, phase: 'archived' as const };
    for (const verb of instanceVerbs)
      expect(instanceAbility(verb, 'server', archived) === true).toBe(verb === 'restore' || verb === 'purge');
    expect(instanceAbility('archive', 'server', { ...calm, protected: true })).toEqual(
      expect.stringContaining('protected'),
    );
    expect(instanceAbility('purge', 'server', { ...archived, protected: true })).toEqual(
      expect.stringContaining('protected'),
    );
  });
  it('changing verbs wait for the operation at work', () => {
    for (const verb of [
      'start',
      'stop',
      'restart',
      'pause',
      'resume',
      'resize',
      'snapshot',
      'rollback',
      'clone',
      'archive',
    ] as const) {
      expect(instanceAbility(verb, 'desktop', { ...calm, busyWith: 'Resizing' })).toEqual(
        expect.stringContaining('Resizing'),
      );
    }
  });
});
