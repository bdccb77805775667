/**
 * The WebAuthn ceremonies, on @simplewebauthn. Challenges are made and kept by the caller; origin and relying party come
 * from the configuration, never from the request. An instance's page lives under the same domain and may ask for the
 * same relying party: what it gets says its own origin and is refused here.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';

/** Large, and needed only where somebody uses a passkey. */
const library = () => import('@simplewebauthn/server');

/** `rpId` is the domain of the installation, `origin` the console's. */
export type PasskeySite = { rpId: string; origin: string; name: string };

type Known = { credentialId: string; transports: string[] };
export type NewPasskey = {
  credentialId: string;
  publicKey: Buffer;
  counter: number;
  transports: string[];
  synced: boolean;
};
/** The parts of a browser's answer that matter here; the contract has checked their shape. */
type Answer = { response: { clientDataJSON: string } };

const TIMEOUT_MS = 120_000;

export async function registrationOptions(
  site: PasskeySite,
  person: { userId: string; email: string; name: string },
  known: readonly Known[],
  challenge: Buffer,
): Promise<{ challenge: string }> {
  const { generateRegistrationOptions } = await library();
  return generateRegistrationOptions({
    rpName: site.name,
    rpID: site.rpId,
    userID: new TextEncoder().encode(person.userId),
    userName: person.email,
    userDisplayName: person.name,
    challenge: new Uint8Array(challenge),
    timeout: TIMEOUT_MS,
    attestationType: 'none',
    excludeCredentials: known.map((one) => ({ id: one.credentialId, transports: one.transports })),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'preferred' },
  });
}

/** `known` null: the person is not known yet, the browser offers what it has. */
export async function authenticationOptions(
  site: PasskeySite,
  known: readonly Known[] | null,
  challenge: Buffer,
): Promise<{ challenge: string }> {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({
    rpID: site.rpId,
    challenge: new Uint8Array(challenge),
    timeout: TIMEOUT_MS,
    // Alone a passkey stands for two factors: the device and what unlocks it. After a password the device is enough.
    userVerification: known === null ? 'required' : 'preferred',
    ...(known === null
      ? {}
      : { allowCredentials: known.map((one) => ({ id: one.credentialId, transports: one.transports })) }),
  });
}

/** The challenge that an answer claims to be for; null when it cannot be read. */
export function challengeOf(answer: Answer): string | null {
  try {
    const data: unknown = JSON.parse(Buffer.from(answer.response.clientDataJSON, 'base64url').toString('utf8'));
    if (typeof data !== 'object' || data === null || !('challenge' in data)) return null;
    return typeof data.challenge === 'string' ? data.challenge : null;
  } catch {
    return null;
  }
}

/** Null when the answer is not right: another origin, relying party or challenge, or broken. */
export async function verifyRegistration(
  site: PasskeySite,
  answer: Answer,
  challenge: string,
): Promise<NewPasskey | null> {
  const { verifyRegistrationResponse } = await library();
  const result = await verifyRegistrationResponse({
    response: answer as unknown as RegistrationResponseJSON,
    expectedChallenge: challenge,
    expectedOrigin: site.origin,
    expectedRPID: site.rpId,
    requireUserVerification: false,
  }).catch(() => null);
  if (result === null || !result.verified) return null;
  const { credential, credentialBackedUp } = result.registrationInfo;
  return {
    credentialId: credential.id,
    publicKey: Buffer.from(credential.publicKey),
    counter: credential.counter,
    transports: credential.transports ?? [],
    synced: credentialBackedUp,
  };
}

/**
 * The new counter, or null when the answer is not right (signature, origin, relying party, challenge, a counter that
 * went back, no user verification where it is asked for).
 */
export async function verifyAuthentication(
  site: PasskeySite,
  answer: Answer,
  challenge: string,
  passkey: { credentialId: string; publicKey: Buffer; counter: number },
  requireUserVerification: boolean,
): Promise<number | null> {
  const { verifyAuthenticationResponse } = await library();
  const result = await verifyAuthenticationResponse({
    response: answer as unknown as AuthenticationResponseJSON,
    expectedChallenge: challenge,
    expectedOrigin: site.origin,
    expectedRPID: site.rpId,
    credential: {
      id: passkey.credentialId,
      publicKey: new Uint8Array(passkey.publicKey),
      counter: passkey.counter,
    },
    requireUserVerification,
  }).catch(() => null);
  return result?.verified === true ? result.authenticationInfo.newCounter : null;
}
