/** The browser's half of passkeys. The library is fetched when it is needed first. */
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { InputOf, OutputOf } from '../api/client.ts';
import { ApiError } from '../api/client.ts';

type Options = OutputOf<'signInPasskeyOptions'>['options'];
export type PasskeyAnswer = InputOf<'signInPasskey'>['body']['passkey'];
export type PasskeyRegistration = InputOf<'passkeysCreate'>['body']['passkey'];

/** Whether this browser knows passkeys at all. */
export function passkeysSupported(): boolean {
  return typeof window.PublicKeyCredential === 'function';
}

/** Null when the person closed the browser's dialog, or another question took its place. Errors: ApiError. */
export async function askForPasskey(options: Options, autofill = false): Promise<PasskeyAnswer | null> {
  const { startAuthentication } = await import('@simplewebauthn/browser');
  return cancelled(async () => {
    const optionsJSON = options as unknown as PublicKeyCredentialRequestOptionsJSON;
    const answer = await startAuthentication({
      optionsJSON,
      useBrowserAutofill: autofill,
      verifyBrowserAutofillInput: false,
    });
    return { ...answer, clientExtensionResults: { ...answer.clientExtensionResults } };
  });
}

/** Null when the person closed the browser's dialog. Errors: ApiError. */
export async function makePasskey(options: Options): Promise<PasskeyRegistration | null> {
  const { startRegistration } = await import('@simplewebauthn/browser');
  return cancelled(async () => {
    const optionsJSON = options as unknown as PublicKeyCredentialCreationOptionsJSON;
    const answer = await startRegistration({ optionsJSON });
    return { ...answer, clientExtensionResults: { ...answer.clientExtensionResults } };
  });
}

/** Whether passkeys can be offered in the suggestions of the e-mail field. */
export async function autofillSupported(): Promise<boolean> {
  if (!passkeysSupported()) return false;
  const { browserSupportsWebAuthnAutofill } = await import('@simplewebauthn/browser');
  return browserSupportsWebAuthnAutofill();
}

/** Ends a question that waits in the suggestions. */
export async function stopAsking(): Promise<void> {
  const { WebAuthnAbortService } = await import('@simplewebauthn/browser');
  WebAuthnAbortService.cancelCeremony();
}

async function cancelled<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'NotAllowedError' || name === 'AbortError') return null;
    if (name === 'InvalidStateError') {
      throw new ApiError({
        code: 'conflict',
        title: 'Known already',
        detail: 'This device has a passkey for you already.',
      });
    }
    throw new ApiError({
      code: 'unsupported',
      title: 'The browser could not use a passkey',
      detail: error instanceof Error && error.message !== '' ? error.message : 'The browser gave no reason.',
    });
  }
}
