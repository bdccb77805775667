import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actions, platformActions } from './authz.ts';
import {
  accountActions,
  isScope,
  READ_SCOPE,
  type ScopedAction,
  scopeNames,
  scopesAllow,
  scopesWithin,
} from './scopes.ts';

const all: ScopedAction[] = [...accountActions, ...actions, ...platformActions];
const scopes = fc.option(fc.uniqueArray(fc.constantFrom(...scopeNames), { minLength: 1, maxLength: 8 }), { nil: null });

describe('I2: scopes', () => {
  it('each action is a scope of its own and allows exactly itself', () => {
    for (const action of all) {
      expect(isScope(action), action).toBe(true);
      expect(all.filter((other) => scopesAllow([action], other))).toEqual([action]);
    }
  });

  it('a resource covers its actions and no other resource, whatever their names begin with', () => {
    expect(all.filter((action) => scopesAllow(['instance.*'], action)).every((a) => a.startsWith('instance.'))).toBe(
      true,
    );
    expect(scopesAllow(['platform.image.*'], 'platform.image.build')).toBe(true);
    expect(scopesAllow(['project.*'], 'platform.image.build')).toBe(false);
    for (const action of all) expect(scopesAllow([], action)).toBe(false);
  });

  it('reading opens, creates, changes and deletes nothing', () => {
    const readable = all.filter((action) => scopesAllow([READ_SCOPE], action));
    expect(readable).toContain('instance.read');
    expect(readable.every((action) => /\.(read|list|inspect)$/.test(action))).toBe(true);
    for (const action of ['instance.open', 'instance.terminal', 'instance.logs', 'account.update'] as const) {
      expect(scopesAllow([READ_SCOPE], action), action).toBe(false);
    }
  });

  it('"within" is what it says: nothing is allowed inside that is not allowed outside', () => {
    fc.assert(
      fc.property(scopes, scopes, (inner, outer) => {
        const exceeds = all.some((action) => scopesAllow(inner, action) && !scopesAllow(outer, action));
        // Everything there is today is not everything: what comes tomorrow counts as well.
        expect(scopesWithin(inner, outer)).toBe(outer === null || (inner !== null && !exceeds));
      }),
    );
  });

  it('nonsense is no scope', () => {
    for (const text of [
      '',
      '*',
      '*.*',
      'instance',
      'instance.',
      '.read',
      'instance.fly',
      '*.update',
      'Instance.read',
    ]) {
      expect(isScope(text), text).toBe(false);
    }
  });
});
