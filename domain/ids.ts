/**
 * Ids are branded, prefixed and sortable: `<prefix>_<26 characters>`, the 26 being a ULID (48 bits of time in
 * milliseconds, then 80 random bits, Crockford base 32, lower case). A wrong id is a compile error.
 */
declare const brand: unique symbol;
export type Id<P extends string> = `${P}_${string}` & { readonly [brand]: P };

export type OrganizationId = Id<'org'>;
export type ProjectId = Id<'prj'>;
export type UserId = Id<'usr'>;
export type SessionId = Id<'ses'>;
export type TokenId = Id<'tok'>;
export type InvitationId = Id<'inv'>;
export type InstanceId = Id<'ins'>;
export type SnapshotId = Id<'snp'>;
export type RouteId = Id<'rte'>;
export type ForwardId = Id<'fwd'>;
export type SecurityGroupId = Id<'sgr'>;
export type ImageId = Id<'img'>;
export type HostId = Id<'hst'>;
export type OperationId = Id<'opr'>;
export type AuditId = Id<'aud'>;
export type GroupId = Id<'grp'>;
export type GrantId = Id<'grt'>;
export type EntryId = Id<'ent'>;
export type PasskeyId = Id<'pky'>;
export type SignInId = Id<'sin'>;
export type RegistrationCodeId = Id<'rgc'>;
export type RegistrationId = Id<'reg'>;
export type MailId = Id<'eml'>;
export type IdentityProviderId = Id<'idp'>;
export type LinkedIdentityId = Id<'lid'>;
export type OutsideSignInId = Id<'osi'>;
export type OutsideSessionId = Id<'oss'>;
export type OidcClientId = Id<'ocl'>;
export type SigningKeyId = Id<'key'>;
export type DeviceLoginId = Id<'dvl'>;
export type DomainId = Id<'dom'>;
export type DnsProviderId = Id<'dnp'>;
export type DnsRecordId = Id<'dnr'>;
export type SshKeyId = Id<'sky'>;
export type SshSessionId = Id<'shs'>;
export type BackupId = Id<'cpy'>;
export type BackupRepositoryId = Id<'vlt'>;
export type SshRecordingId = Id<'srd'>;

export const idPrefixes = [
  'org',
  'prj',
  'usr',
  'ses',
  'tok',
  'inv',
  'ins',
  'snp',
  'rte',
  'fwd',
  'sgr',
  'img',
  'hst',
  'opr',
  'aud',
  'grp',
  'grt',
  'ent',
  'pky',
  'sin',
  'rgc',
  'reg',
  'eml',
  'idp',
  'lid',
  'osi',
  'oss',
  'ocl',
  'key',
  'dvl',
  'dom',
  'dnp',
  'dnr',
  'sky',
  'shs',
  'cpy',
  'vlt',
  'srd',
] as const;
export type IdPrefix = (typeof idPrefixes)[number];

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const BODY = 26;

/** Makes one id. `now` is Unix time in milliseconds; `random` returns the asked number of random bytes. */
export function makeId<P extends IdPrefix>(prefix: P, now: number, random: (bytes: number) => Uint8Array): Id<P> {
  let time = '';
  let rest = Math.floor(now);
  for (let i = 0; i < 10; i++) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (const byte of random(16)) tail += ALPHABET.charAt(byte & 31);
  return `${prefix}_${time}${tail}` as Id<P>;
}

/** True when `value` is an id with this prefix. */
export function isId<P extends IdPrefix>(prefix: P, value: unknown): value is Id<P> {
  return typeof value === 'string' && value.length === prefix.length + 1 + BODY && idPattern(prefix).test(value);
}

/** Regular expression of ids with this prefix; used by the contract's schemas. */
export function idPattern(prefix: IdPrefix): RegExp {
  return new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{${BODY}}$`);
}
