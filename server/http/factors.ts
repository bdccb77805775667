/** Endpoints of second factors: the second step of signing in, confirming, the own factors, an organization's rule. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  addPasskey,
  beginTotpSetup,
  confirmTotpSetup,
  newRecoveryCodes,
  passkeyRegistrationOptions,
  readSecurity,
  removePasskey,
  removeTotp,
  resetMemberFactors,
  resetUserFactors,
  updatePasskey,
} from '#server/app/factors.ts';
import { whoami } from '#server/app/identity.ts';
import { readOrganizationSignIn, updateOrganizationSignIn } from '#server/app/organization-sign-in.ts';
import { signInFactor, signInPasskey, signInPasskeyOptions } from '#server/app/sign-in.ts';
import { confirm, confirmPasskeyOptions } from '#server/app/step-up.ts';
import { presentWhoami } from './identity.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

type PresentablePasskey = { id: string; name: string; synced: boolean; createdAt: Date; lastUsedAt: Date | null };

function presentPasskey({ id, name, synced, createdAt, lastUsedAt }: PresentablePasskey) {
  return { id, name, synced, createdAt: iso(createdAt), lastUsedAt: isoOrNull(lastUsedAt) };
}

export function registerFactors(http: Http, app: AppContext): void {
  registerSigningIn(http, app);
  registerOwnFactors(http, app);
  http.register(api.organizationSignInGet, async ({ caller, params }) =>
    readOrganizationSignIn(app, caller, params.organization),
  );
  http.register(api.organizationSignInUpdate, async ({ caller, params, body }) =>
    updateOrganizationSignIn(app, caller, params.organization, body),
  );
  http.register(api.memberFactorsReset, async ({ caller, params }) => {
    await resetMemberFactors(app, caller, params);
    return undefined;
  });
  http.register(api.factorsReset, async ({ caller, params }) => {
    await resetUserFactors(app, caller, params.user);
    return undefined;
  });
}

function registerSigningIn(http: Http, app: AppContext): void {
  http.register(api.signInFactor, async ({ caller, body, signInHandle, setSession, clearSignIn }) => {
    const { secret, expiresAt, person } = await signInFactor(app, caller, signInHandle, body);
    setSession(secret, expiresAt);
    clearSignIn();
    return presentWhoami(await whoami(app, person));
  });
  http.register(api.signInPasskeyOptions, async ({ caller, body, signInHandle, setSignIn }) => {
    const { options, handle } = await signInPasskeyOptions(app, caller, signInHandle, body.for);
    if (handle !== null) setSignIn(handle.handle, handle.expiresAt);
    return { options };
  });
  http.register(api.signInPasskey, async ({ caller, body, signInHandle, setSession, clearSignIn }) => {
    const { secret, expiresAt, person } = await signInPasskey(app, caller, signInHandle, body.passkey);
    setSession(secret, expiresAt);
    clearSignIn();
    return presentWhoami(await whoami(app, person));
  });
}

function registerOwnFactors(http: Http, app: AppContext): void {
  http.register(api.securityGet, async ({ caller }) => {
    const { totpSince, passkeys, ...security } = await readSecurity(app, caller);
    return {
      ...security,
      totp: totpSince === null ? null : { since: iso(totpSince) },
      passkeys: passkeys.map(presentPasskey),
      confirmedUntil: isoOrNull(security.confirmedUntil),
    };
  });
  http.register(api.confirm, async ({ caller, body }) => ({ confirmedUntil: iso(await confirm(app, caller, body)) }));
  http.register(api.confirmPasskeyOptions, async ({ caller }) => ({
    options: await confirmPasskeyOptions(app, caller),
  }));
  http.register(api.totpBegin, async ({ caller }) => beginTotpSetup(app, caller));
  http.register(api.totpConfirm, async ({ caller, body }) => ({
    recoveryCodes: await confirmTotpSetup(app, caller, body.code),
  }));
  http.register(api.totpRemove, async ({ caller }) => {
    await removeTotp(app, caller);
    return undefined;
  });
  http.register(api.recoveryCodesCreate, async ({ caller }) => ({
    recoveryCodes: await newRecoveryCodes(app, caller),
  }));
  http.register(api.passkeyOptions, async ({ caller }) => ({ options: await passkeyRegistrationOptions(app, caller) }));
  http.register(api.passkeysCreate, async ({ caller, body }) => {
    const { passkey, recoveryCodes } = await addPasskey(app, caller, body);
    return { passkey: presentPasskey(passkey), recoveryCodes };
  });
  http.register(api.passkeysUpdate, async ({ caller, params, body }) =>
    presentPasskey(await updatePasskey(app, caller, params.passkey, body)),
  );
  http.register(api.passkeysDelete, async ({ caller, params }) => {
    await removePasskey(app, caller, params.passkey);
    return undefined;
  });
}
