/** Second factors in the mock: codes `000000` are wrong, passkeys cannot be made (there is nobody to check them). */
import { BerthError, notFound } from '#domain/errors.ts';
import { makeRecoveryCode, RECOVERY_CODE_BYTES, RECOVERY_CODES } from '#domain/factors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { iso, newId, record } from './state.ts';

type FactorName =
  | 'signInFactor'
  | 'signInPasskeyOptions'
  | 'signInPasskey'
  | 'securityGet'
  | 'confirm'
  | 'confirmPasskeyOptions'
  | 'totpBegin'
  | 'totpConfirm'
  | 'totpRemove'
  | 'recoveryCodesCreate'
  | 'passkeyOptions'
  | 'passkeysCreate'
  | 'passkeysUpdate'
  | 'passkeysDelete'
  | 'organizationSignInGet'
  | 'organizationSignInUpdate'
  | 'memberFactorsReset'
  | 'factorsReset';

export type MockFactors = Pick<OutputOf<'securityGet'>, 'totp' | 'passkeys' | 'recoveryCodesLeft'> & {
  required: boolean;
  confirmedAt: number;
};

export function noFactors(): MockFactors {
  return { totp: null, passkeys: [], recoveryCodesLeft: 0, required: false, confirmedAt: Date.now() };
}

/** Scenarios of the mock that are about second factors; nothing for other names. */
export function factorScenario(name: string): Partial<Pick<MockState, 'factors' | 'signedIn'>> {
  const day = 86_400_000;
  const passkey = (title: string, synced: boolean, days: number, used: number | null) => ({
    id: newId('pky'),
    name: title,
    synced,
    createdAt: iso(Date.now() - days * day),
    lastUsedAt: used === null ? null : iso(Date.now() - used * day),
  });
  const full: MockFactors = {
    ...noFactors(),
    totp: { since: iso(Date.now() - 40 * day) },
    passkeys: [passkey('Chrome on Linux', true, 20, 0.1), passkey('Blue security key', false, 3, null)],
    recoveryCodesLeft: 2,
  };
  if (name === 'factors') return { factors: full };
  if (name === 'factors-out') return { factors: { ...full, passkeys: [] }, signedIn: false };
  if (name === 'strict') return { factors: { ...noFactors(), required: true } };
  if (name === 'unconfirmed') return { factors: { ...full, confirmedAt: 0 } };
  return {};
}

export function kindsOf({ factors }: MockState): ('totp' | 'passkey' | 'recovery')[] {
  return [
    ...(factors.passkeys.length > 0 ? (['passkey'] as const) : []),
    ...(factors.totp === null ? [] : (['totp'] as const)),
    ...(factors.recoveryCodesLeft > 0 ? (['recovery'] as const) : []),
  ];
}

const CONFIRMATION_MS = 10 * 60_000;

function needsConfirmation({ factors }: MockState): void {
  if (Date.now() - factors.confirmedAt < CONFIRMATION_MS) return;
  throw new BerthError('step_up_required', 'Confirm that it is you before your second factors change.');
}

function codes(state: MockState): string[] {
  state.factors.recoveryCodesLeft = RECOVERY_CODES;
  return Array.from({ length: RECOVERY_CODES }, () =>
    makeRecoveryCode(crypto.getRandomValues(new Uint8Array(RECOVERY_CODE_BYTES))),
  );
}

function rule({ factors, members }: MockState) {
  const own = factors.totp !== null || factors.passkeys.length > 0;
  return {
    secondFactorRequired: factors.required,
    membersWithout: members.length - (own ? 1 : 0),
    can: {
      update:
        own || factors.required
          ? (true as const)
          : 'Set up a second factor for yourself first: otherwise you would lock yourself out.',
    },
  };
}

const challenge = { options: { challenge: 'bm90IGEgcmVhbCBjaGFsbGVuZ2U', rpId: 'localhost' } };

function noPasskeys(): never {
  throw new BerthError('unsupported', 'The demo cannot check passkeys.');
}

export const factorHandlers = (whoami: (state: MockState) => OutputOf<'whoami'>): Pick<Handlers, FactorName> => ({
  signInFactor: (state, { body }) => {
    if (body.type !== 'passkey' && body.code.startsWith('0000'))
      throw new BerthError('unauthenticated', 'That did not work. Check it and try again.');
    state.signedIn = true;
    return whoami(state);
  },
  signInPasskeyOptions: () => challenge,
  signInPasskey: noPasskeys,
  securityGet: (state) => ({
    hasPassword: true,
    totp: state.factors.totp,
    passkeys: state.factors.passkeys,
    recoveryCodesLeft: state.factors.recoveryCodesLeft,
    requiredBy: state.factors.required ? [state.organization.title] : [],
    confirmWith: ['password', ...kindsOf(state)],
    confirmedUntil: iso(state.factors.confirmedAt + CONFIRMATION_MS),
  }),
  confirm: (state, { body }) => {
    if (body.type === 'password' && body.password === 'wrong')
      throw new BerthError('invalid_input', 'That did not work. Check it and try again.');
    state.factors.confirmedAt = Date.now();
    return { confirmedUntil: iso(Date.now() + CONFIRMATION_MS) };
  },
  confirmPasskeyOptions: () => challenge,
  totpBegin: (state) => {
    needsConfirmation(state);
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    return { secret, uri: `otpauth://totp/Berth:${state.user.email}?secret=${secret}&issuer=Berth` };
  },
  totpConfirm: (state, { body }) => {
    if (body.code === '000000')
      throw new BerthError('invalid_input', 'That is not the code.', {
        fields: [{ field: 'code', message: 'Not the code your app shows now.' }],
      });
    const first = kindsOf(state).length === 0;
    state.factors.totp = { since: iso() };
    record(state, 'account.totp.confirm', 'user', state.user.id, state.user.email);
    return { recoveryCodes: first ? codes(state) : null };
  },
  totpRemove: (state) => {
    needsConfirmation(state);
    state.factors.totp = null;
    if (state.factors.passkeys.length === 0) state.factors.recoveryCodesLeft = 0;
    return undefined;
  },
  recoveryCodesCreate: (state) => {
    needsConfirmation(state);
    return { recoveryCodes: codes(state) };
  },
  passkeyOptions: (state) => {
    needsConfirmation(state);
    return challenge;
  },
  passkeysCreate: noPasskeys,
  passkeysUpdate: (state, { params, body }) => {
    const found = state.factors.passkeys.find((each) => each.id === params.passkey);
    if (found === undefined) throw notFound('passkey');
    return Object.assign(found, body);
  },
  passkeysDelete: (state, { params }) => {
    needsConfirmation(state);
    state.factors.passkeys = state.factors.passkeys.filter((each) => each.id !== params.passkey);
    return undefined;
  },
  organizationSignInGet: rule,
  organizationSignInUpdate: (state, { body }) => {
    state.factors.required = body.secondFactorRequired;
    return rule(state);
  },
  memberFactorsReset: () => undefined,
  factorsReset: () => undefined,
});
