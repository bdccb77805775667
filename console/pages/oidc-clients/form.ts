/** The form of an app that signs people in with Berth: flat texts on the screen, the contract's shapes on the wire. */
import { z } from 'zod';
import { oidcAuthMethods, redirectUriProblem } from '#domain/identity-providers.ts';
import type { InputOf, OutputOf } from '../../api/client.ts';

export type Client = OutputOf<'oidcClientsList'>['items'][number];

export const EVERYBODY = 'everybody';

export const clientForm = z.object({
  title: z.string().trim().min(1, 'What is it called?').max(120),
  redirectUris: z.string().superRefine((text, context) => {
    const uris = linesOf(text);
    const issue = (message: string) => context.addIssue({ code: 'custom', message });
    if (uris.length === 0) issue('The app tells it: where people are sent back to.');
    for (const uri of uris) {
      const problem = redirectUriProblem(uri);
      if (problem !== null) issue(`${uri}: ${problem}`);
    }
  }),
  authMethod: z.enum(oidcAuthMethods),
  firstParty: z.boolean(),
  /** Id of an organization, or EVERYBODY. */
  organization: z.string(),
});
export type ClientFields = z.output<typeof clientForm>;

export const linesOf = (text: string): string[] => text.split(/\s+/).filter((line) => line !== '');

/** Null: a new one. */
export function fieldsOf(client: Client | null): ClientFields {
  return {
    title: client?.title ?? '',
    redirectUris: (client?.redirectUris ?? []).join('\n'),
    authMethod: client?.authMethod ?? 'client_secret_basic',
    firstParty: client?.firstParty ?? true,
    organization: client?.organization ?? EVERYBODY,
  };
}

/** `before`: an app bound to an instance keeps it while its organization stays. */
export function bodyOf(fields: ClientFields, before: Client | null): InputOf<'oidcClientsCreate'>['body'] {
  const { organization, redirectUris, ...rest } = fields;
  const place = organization === EVERYBODY ? null : organization;
  return {
    ...rest,
    redirectUris: linesOf(redirectUris),
    organization: place,
    app: before !== null && before.organization === place ? before.app : null,
  };
}
