import { expect, it } from 'vitest';
import { identityRoutes } from './identity.ts';

const accepted = (password: string) =>
  identityRoutes.accountPassword.body.safeParse({ current: 'whatever it was', password }).success;

it('I1: passwords of any composition are taken, long ones too; short ones are not', () => {
  for (const password of [
    'four plain words here',
    '83719 40628 51937',
    'ЖУРАВЛЬ и синица летят',
    '🦆🦢🐧🦉🦆🦢🐧🦉🦆🦢🐧🦉',
    '        only spaces in front',
    'x'.repeat(64),
    'y'.repeat(128),
  ]) {
    expect(accepted(password), password).toBe(true);
  }
  expect(accepted('seven77')).toBe(false);
});

it('I1: a password arrives as it was typed: nothing is cut off, trimmed or changed', () => {
  const password = `  Ends With Space ${'z'.repeat(100)} `;
  expect(identityRoutes.accountPassword.body.parse({ current: password, password })).toEqual({
    current: password,
    password,
  });
});
