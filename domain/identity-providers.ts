/**
 * Outside identity: the kinds of providers there are presets for, who gets an account by signing in with one, and which
 * roles their claims give. Berth as a provider: the limits of its clients.
 */
import { highestRole, type Role } from './authz.ts';
import type { OrganizationId } from './ids.ts';

export const providerKinds = ['oidc', 'google', 'github', 'gitlab', 'microsoft', 'keycloak', 'authentik'] as const;
export type ProviderKind = (typeof providerKinds)[number];

/**
 * Who gets an account by signing in: `nobody` (only accounts that are there already), `invited` (with an open invitation
 * to the address), `domains` (addresses of listed domains, and who is invited).
 */
export const provisionings = ['nobody', 'invited', 'domains'] as const;
export type Provisioning = (typeof provisionings)[number];

/** Whoever has `value` among their groups (`EVERYBODY`: whoever signs in) holds `role` in the organization. */
export type RoleMapping = { value: string; organization: OrganizationId; role: Role };
export const EVERYBODY = '*';

export const PROVIDERS_MAX = 50;
export const ROLE_MAPPINGS_MAX = 100;
export const PROVIDER_DOMAINS_MAX = 50;
/** Groups that are looked at, of what a provider says. */
export const GROUPS_MAX = 500;
/** Between going to the provider and coming back. */
export const OUTSIDE_SIGN_IN_MINUTES = 10;
/** How often a provider is asked whether the person may still sign in, unless it says otherwise. */
export const RECHECK_MINUTES = 10;
/** A logout token's age beyond which it is refused. */
export const LOGOUT_TOKEN_MINUTES = 5;
export const OIDC_CLIENTS_MAX = 500;
export const REDIRECT_URIS_MAX = 20;
/** How an app proves that it is itself when it trades a code. */
export const oidcAuthMethods = ['client_secret_basic', 'client_secret_post', 'none'] as const;
export type OidcAuthMethod = (typeof oidcAuthMethods)[number];
/** What an app may ask for. */
export const oidcScopes = ['openid', 'email', 'profile', 'groups'] as const;

export type Preset = {
  title: string;
  /** A fixed issuer; null: the administrator says it. */
  issuer: string | null;
  /** What an issuer of this kind looks like. */
  example: string;
  scopes: readonly string[];
  groupsClaim: string | null;
};

export const presets: Readonly<Record<ProviderKind, Preset>> = {
  oidc: {
    title: 'OpenID Connect',
    issuer: null,
    example: 'https://id.example.com',
    scopes: ['openid', 'email', 'profile'],
    groupsClaim: null,
  },
  google: {
    title: 'Google',
    issuer: 'https://accounts.google.com',
    example: 'https://accounts.google.com',
    scopes: ['openid', 'email', 'profile'],
    groupsClaim: null,
  },
  github: {
    title: 'GitHub',
    issuer: 'https://github.com',
    example: 'https://github.com',
    scopes: ['read:user', 'user:email', 'read:org'],
    groupsClaim: 'organizations',
  },
  gitlab: {
    title: 'GitLab',
    issuer: null,
    example: 'https://gitlab.com',
    scopes: ['openid', 'email', 'profile'],
    groupsClaim: 'groups_direct',
  },
  microsoft: {
    title: 'Microsoft',
    issuer: null,
    example: 'https://login.microsoftonline.com/<tenant id>/v2.0',
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    groupsClaim: 'groups',
  },
  keycloak: {
    title: 'Keycloak',
    issuer: null,
    example: 'https://id.example.com/realms/<realm>',
    scopes: ['openid', 'email', 'profile'],
    groupsClaim: 'groups',
  },
  authentik: {
    title: 'Authentik',
    issuer: null,
    example: 'https://id.example.com/application/o/<application>/',
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    groupsClaim: 'groups',
  },
};

/**
 * Why this cannot be the issuer of a provider of this kind; null when it can. Whether it may be called (private network,
 * no TLS) is decided where it is called.
 */
export function issuerProblem(kind: ProviderKind, issuer: string): string | null {
  const url = URL.parse(issuer);
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return 'An address that starts with https://.';
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return 'Only host and path: no user, no question mark, no hash.';
  }
  if (kind === 'microsoft' && /^\/(common|organizations|consumers)(\/|$)/.test(url.pathname)) {
    return 'Say your own tenant: an issuer for all of Microsoft would let every tenant name any address.';
  }
  return null;
}

/** Whether an address belongs to one of the domains; subdomains do not count. */
export function inDomains(email: string, domains: readonly string[]): boolean {
  const at = email.lastIndexOf('@');
  return at > 0 && domains.includes(email.slice(at + 1).toLowerCase());
}

/** The role that these groups give in each organization: the highest of all mappings that fit. */
export function mappedRoles(
  mappings: readonly RoleMapping[],
  groups: readonly string[],
): ReadonlyMap<OrganizationId, Role> {
  const held = new Map<OrganizationId, Role>();
  for (const { value, organization, role } of mappings) {
    if (value !== EVERYBODY && !groups.includes(value)) continue;
    held.set(organization, highestRole([held.get(organization) ?? null, role]) ?? role);
  }
  return held;
}

/** Paths of the console that a sign-in may come back to: one slash, never another host. */
export function safeReturnPath(path: string | undefined): string | null {
  return path !== undefined && path.length <= 2000 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path) ? path : null;
}

/** Why an app may not be answered at this address; null when it may. */
export function redirectUriProblem(uri: string): string | null {
  const url = URL.parse(uri);
  if (url === null || uri.includes('*')) return 'Not a complete address.';
  if (uri.includes('#')) return 'No hash.';
  if (url.username !== '' || url.password !== '') return 'No user name in it.';
  if (url.protocol === 'https:') return null;
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return url.protocol === 'http:' && loopback ? null : 'An address that starts with https:// (http:// for loopback).';
}
