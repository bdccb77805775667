/** Endpoints of signing in with identity providers, of the own linked identities, and of setting providers up. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createIdentityProvider,
  deleteIdentityProvider,
  listIdentityProviders,
  type PresentedProvider,
  signInProviders,
  testIdentityProvider,
  updateIdentityProvider,
} from '#server/app/identity-providers.ts';
import { backchannelLogout, listIdentities, unlinkIdentity } from '#server/app/linked-identities.ts';
import { beginLinking, beginOutsideSignIn, finishOutside } from '#server/app/outside-sign-in.ts';
import { presentStep } from './identity.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentProvider(provider: PresentedProvider) {
  return { ...provider, createdAt: iso(provider.createdAt) };
}

export function registerIdentityProviders(http: Http, app: AppContext): void {
  registerSigningIn(http, app);
  http.register(api.identitiesList, async ({ caller }) => ({
    items: (await listIdentities(app, caller)).map(({ provider, createdAt, lastUsedAt, ...identity }) => ({
      ...identity,
      provider: { name: provider.name, title: provider.title },
      createdAt: iso(createdAt),
      lastUsedAt: iso(lastUsedAt),
    })),
  }));
  http.register(api.identitiesUnlink, async ({ caller, params }) => {
    await unlinkIdentity(app, caller, params.identity);
    return undefined;
  });
  http.register(api.identityProvidersList, async ({ caller }) => ({
    items: (await listIdentityProviders(app, caller)).map(presentProvider),
  }));
  http.register(api.identityProvidersCreate, async ({ caller, body }) =>
    presentProvider(await createIdentityProvider(app, caller, body)),
  );
  http.register(api.identityProvidersUpdate, async ({ caller, params, body }) =>
    presentProvider(await updateIdentityProvider(app, caller, params.provider, body)),
  );
  http.register(api.identityProvidersDelete, async ({ caller, params }) => {
    await deleteIdentityProvider(app, caller, params.provider);
    return undefined;
  });
  http.register(api.identityProvidersTest, async ({ caller, params }) =>
    testIdentityProvider(app, caller, params.provider),
  );
  http.register(api.identityProvidersLogout, async ({ caller, params, body }) => {
    await backchannelLogout(app, caller, { provider: params.name, token: body.logout_token });
    return {};
  });
}

function registerSigningIn(http: Http, app: AppContext): void {
  http.register(api.signInProviders, async () => ({ items: await signInProviders(app) }));
  http.register(api.signInOutside, async ({ body, outsideSecret, setOutside }) => {
    const input = { provider: body.provider, returnTo: body.return };
    const { url, browser } = await beginOutsideSignIn(app, input, outsideSecret);
    setOutside(browser.secret, browser.expiresAt);
    return { url };
  });
  http.register(api.identitiesLink, async ({ caller, body, outsideSecret, setOutside }) => {
    const { url, browser } = await beginLinking(app, caller, body.provider, outsideSecret);
    setOutside(browser.secret, browser.expiresAt);
    return { url };
  });
  http.register(api.signInOutsideFinish, async ({ caller, body, outsideSecret, setSession, setSignIn }) => {
    const { returnTo, ...step } = await finishOutside(app, caller, body, outsideSecret);
    if (step.next === 'linked') return { return: returnTo, step: { next: 'linked' as const } };
    return { return: returnTo, step: await presentStep(app, step, { setSession, setSignIn }) };
  });
}
