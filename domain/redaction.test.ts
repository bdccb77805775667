import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { MASK, REDACTED_DEPTH_MAX, redacted, redactedText } from './redaction.ts';

const canary = 'canary-7f3a';

describe('I6: what the audit log does not keep', () => {
  it('values under names that speak of a secret, at any depth', () => {
    const names = [
      'password',
      'newPassword',
      'passphrase',
      'secret',
      'client_secret',
      'token',
      'refreshToken',
      'passwordHash',
      'cookie',
      'Authorization',
      'credential',
      'privateKey',
      'private_key',
      'apiKey',
      'secretSealed',
      'otp',
      'recoveryCodes',
      'code',
      'setupCode',
      'sign_in_code',
    ];
    for (const name of names) {
      expect(JSON.stringify(redacted({ [name]: canary })), name).not.toContain(canary);
      expect(JSON.stringify(redacted({ list: [{ deep: { [name]: { value: canary } } }] })), name).not.toContain(canary);
    }
  });

  it('text that looks like a secret wherever it stands', () => {
    for (const text of [
      `brt_${'a1B2'.repeat(11)}`,
      'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
      '-----BEGIN PRIVATE KEY-----\nMC4CAQ',
      'postgresql://berth:hunter2@db/berth',
    ]) {
      expect(redacted({ note: `it was ${text} then` })).toEqual({ note: MASK });
      expect(redactedText(text, 100)).toBe(MASK);
    }
  });

  it('keeps what is no secret', () => {
    const value = {
      errorCode: 'conflict',
      days: 90,
      secondFactorRequired: true,
      hasPassword: false,
      name: 'web',
      code: null,
      link: 'https://berth.localhost:9443/x',
      tags: ['a'],
      id: 'ins_01j00000000000000000000000',
    };
    expect(redacted(value)).toEqual(value);
  });

  it('answers bounded plain JSON that the database gives back the same', () => {
    let deep: unknown = 'bottom';
    for (let i = 0; i < REDACTED_DEPTH_MAX + 3; i++) deep = { deep };
    expect(JSON.stringify(redacted(deep))).not.toContain('bottom');
    expect(redacted({ at: new Date(0), big: 5n, gone: undefined, bytes: Buffer.from('x') })).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      big: '5',
      bytes: MASK,
    });
    fc.assert(
      fc.property(fc.anything({ withDate: true, withBigInt: true }), (value) => {
        const kept = redacted(value) ?? null;
        const text = canonicalJson(kept);
        expect(text).not.toContain('\\u0000');
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });
});
