/** Which page of the documentation goes with which page of the console. Pure; docs/docs.test.ts follows every link. */

type Help = readonly [pattern: RegExp, page: string];

/** The first that fits. Paths of the console -> paths below /docs/. */
const pages: readonly Help[] = [
  [/^\/p\/[^/]+\/instances\/new$/, 'tutorial/desktop-in-two-minutes'],
  [/^\/p\/[^/]+\/instances\/[^/]+\/metrics$/, 'how-to/watch-metrics'],
  [/^\/p\/[^/]+\/instances\/[^/]+\/routes$/, 'tutorial/server-in-five-minutes'],
  [/^\/p\/[^/]+\/instances\/[^/]+\/ssh$/, 'tutorial/ssh-from-anywhere'],
  [/^\/p\/[^/]+\/instances\/[^/]+\/settings$/, 'how-to/move-an-instance-to-another-project'],
  [/^\/p\/[^/]+\/(instances\/[^/]+\/)?backups$/, 'how-to/back-up-and-restore'],
  [/^\/p\/[^/]+\/instances/, 'tutorial/server-in-five-minutes'],
  [/^\/p\/[^/]+\/domains/, 'tutorial/a-domain-of-your-own'],
  [/^\/(o\/[^/]+|platform)\/dns/, 'how-to/connect-a-dns-provider'],
  [/^\/p\/[^/]+\/routes/, 'how-to/forward-ports'],
  [/^\/p\/[^/]+\/people/, 'how-to/share-desktops-and-apps'],
  [/^\/o\/[^/]+\/members/, 'how-to/invite-people'],
  [/^\/o\/[^/]+\/(groups|apps|entries)/, 'how-to/share-desktops-and-apps'],
  [/^\/o\/[^/]+\/roles/, 'reference/permissions'],
  [/^\/o\/[^/]+\/service-accounts/, 'how-to/run-pipelines-with-service-accounts'],
  [/^\/o\/[^/]+\/sign-in/, 'how-to/protect-accounts-with-a-second-factor'],
  [/^\/o\/[^/]+\/quotas/, 'how-to/set-quotas-and-limits'],
  [/^\/(o\/[^/]+|platform)\/audit/, 'explanation/audit-log'],
  [/^\/apps$/, 'how-to/share-desktops-and-apps'],
  [/^\/images/, 'how-to/import-an-image'],
  [/^\/hosts/, 'how-to/watch-metrics'],
  [/^\/identity-providers/, 'how-to/sign-in-with-keycloak-or-google'],
  [/^\/oidc-clients/, 'how-to/use-berth-as-openid-provider'],
  [/^\/platform\/registration/, 'how-to/let-people-register'],
  [/^\/platform\/mail/, 'how-to/send-email'],
  [/^\/platform\/limits/, 'how-to/set-quotas-and-limits'],
  [/^\/platform\/data/, 'how-to/look-at-the-data'],
  [/^\/account\/security/, 'how-to/protect-accounts-with-a-second-factor'],
  [/^\/account\/tokens/, 'how-to/use-the-command-line'],
];

/** Where every page that is not named leads. */
export const HELP_START = '/docs/';

export function helpFor(path: string): string {
  const found = pages.find(([pattern]) => pattern.test(path));
  return found === undefined ? HELP_START : `/docs/${found[1]}`;
}

export const helpPages: readonly string[] = pages.map(([, page]) => page);
