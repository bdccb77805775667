/** Registration in the mock: codes and links beginning with `wrong` are wrong, everything else works. */
import { BerthError } from '#domain/errors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import { DAY } from './make.ts';
import type { Code } from './seed-accounts.ts';
import type { MockState } from './state.ts';
import { DOMAIN, hint, iso, newId } from './state.ts';

type RegistrationName =
  | 'registrationState'
  | 'registrationCreate'
  | 'registrationRead'
  | 'registrationComplete'
  | 'registrationSettingsGet'
  | 'registrationSettingsUpdate'
  | 'registrationCodesList'
  | 'registrationCodesCreate'
  | 'registrationCodesRevoke';

export const registrationHandlers = (
  whoami: (state: MockState) => OutputOf<'whoami'>,
): Pick<Handlers, RegistrationName> => ({
  registrationState: (state) => ({ open: state.accounts.registration.open }),
  registrationCreate: (_state, { body }) => {
    if (body.code?.toLowerCase().startsWith('wrong') === true)
      throw new BerthError('invalid_input', 'This code is not known, is used up, or has ended.', {
        fields: [{ field: 'code', message: 'This code is not known, is used up, or has ended.' }],
      });
    return undefined;
  },
  registrationRead: (state, { params }) => {
    if (params.secret.startsWith('wrong'))
      throw new BerthError('not_found', 'This link was used, replaced by a newer one, or is too old. Register again.');
    return { email: 'newcomer@harbour.example', joins: state.organization.title, expiresAt: iso(Date.now() + DAY) };
  },
  registrationComplete: (state, { body }) => {
    Object.assign(state.user, { name: body.name, email: 'newcomer@harbour.example' });
    state.signedIn = true;
    return whoami(state);
  },
  registrationSettingsGet: (state) => state.accounts.registration,
  registrationSettingsUpdate: (state, { body }) => Object.assign(state.accounts.registration, body),
  registrationCodesList: (state) => ({ items: state.accounts.codes }),
  registrationCodesCreate: (state, { body }) => {
    const { id, name, title } = state.organization;
    const code: Code = {
      id: newId('rgc'),
      prefix: 'M4WT',
      note: body.note,
      joins: body.joins === null ? null : { organization: { id, name, title }, role: body.joins.role },
      uses: 0,
      usesMax: body.usesMax,
      createdBy: state.user.email,
      createdAt: iso(),
      expiresAt: iso(Date.now() + body.expiresInDays * DAY),
      state: 'open',
    };
    state.accounts.codes.unshift(code);
    hint('user', code.id);
    return { ...code, code: 'M4WT-9RKP-2XQA-7BHN', link: `https://${DOMAIN}:9443/register?code=M4WT-9RKP-2XQA-7BHN` };
  },
  registrationCodesRevoke: (state, { params }) => {
    for (const each of state.accounts.codes) if (each.id === params.code) each.state = 'revoked';
    hint('user', params.code);
    return undefined;
  },
});
