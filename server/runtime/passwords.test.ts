import { describe, expect, it } from 'vitest';
import { hashPassword, passwordProblem, verifyPassword } from './passwords.ts';

describe('I1: passwords', () => {
  it('are argon2id with 19 MiB and two passes; the same text in another Unicode form fits', async () => {
    const stored = await hashPassword('Žąsis skrenda į pietus');
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await verifyPassword(stored, 'Žąsis skrenda į pietus'.normalize('NFD'))).toBe(true);
    expect(await verifyPassword(stored, 'Zasis skrenda i pietus')).toBe(false);
    expect(await verifyPassword(null, 'Žąsis skrenda į pietus')).toBe(false);
  });

  it('the ones everybody tries are refused, decorated or not', () => {
    const email = 'jonas.jonaitis@example.test';
    for (const bad of [
      'password12',
      'P@ssw0rd!!',
      'Passw0rd2026!',
      '123456789012',
      'qwertyuiop',
      'QwErTyUiOp!1',
      'abcdefghij',
      'poiuytrewq',
      'letmein2026',
      'Slaptazodis1',
      'aaaaaaaaaaaaaaaa',
      'abababababab',
      'iloveyou1234',
      'drowssap123',
      'monkeymonkey',
      'correcthorsebatterystaple',
      'jonas.jonaitis1',
      'JonasJonaitis!',
    ]) {
      expect(passwordProblem(bad, email), bad).not.toBeNull();
    }
    for (const good of [
      'four plain words here',
      'vienas du keturi astuoni',
      'x7Gq-mm2P-oo91',
      'correct horse battery',
      'my password is long and odd',
    ]) {
      expect(passwordProblem(good, email), good).toBeNull();
    }
  });
});
