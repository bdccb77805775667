/** Endpoints of registration. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { whoami } from '#server/app/identity.ts';
import {
  askForAccount,
  completeRegistration,
  createRegistrationCode,
  listRegistrationCodes,
  type PresentedCode,
  readRegistration,
  readSettings,
  registrationState,
  revokeRegistrationCode,
  updateSettings,
} from '#server/app/registration.ts';
import { presentWhoami } from './identity.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentCode(code: PresentedCode) {
  return {
    id: code.id,
    prefix: code.prefix,
    note: code.note,
    joins: code.joins,
    uses: code.uses,
    usesMax: code.usesMax,
    createdBy: code.createdBy,
    createdAt: iso(code.createdAt),
    expiresAt: iso(code.expiresAt),
    state: code.state,
  };
}

export function registerRegistration(http: Http, app: AppContext): void {
  http.register(api.registrationState, () => registrationState(app));
  http.register(api.registrationCreate, async ({ caller, body }) => {
    await askForAccount(app, caller, body);
    return undefined;
  });
  http.register(api.registrationRead, async ({ params }) => {
    const { email, joins, expiresAt } = await readRegistration(app, params.secret);
    return { email, joins: joins?.title ?? null, expiresAt: iso(expiresAt) };
  });
  http.register(api.registrationComplete, async ({ caller, params, body, setSession }) => {
    const { secret, expiresAt, person } = await completeRegistration(app, caller, params.secret, body);
    setSession(secret, expiresAt);
    return presentWhoami(await whoami(app, person));
  });
  http.register(api.registrationSettingsGet, ({ caller }) => readSettings(app, caller));
  http.register(api.registrationSettingsUpdate, ({ caller, body }) => updateSettings(app, caller, body));
  http.register(api.registrationCodesList, async ({ caller }) => ({
    items: (await listRegistrationCodes(app, caller)).map(presentCode),
  }));
  http.register(api.registrationCodesCreate, async ({ caller, body }) => {
    const made = await createRegistrationCode(app, caller, body);
    return { ...presentCode(made), code: made.code, link: made.link };
  });
  http.register(api.registrationCodesRevoke, async ({ caller, params }) => {
    await revokeRegistrationCode(app, caller, params.code);
    return undefined;
  });
}
