/**
 * What edge keeps to decide about SSH: keys of people, host keys of instances, names of projects, ends that were asked
 * for, who is recorded, where a second factor is asked for and who has given it.
 */
import type { SshRecordingState } from '#domain/ssh-recordings.ts';

export type EdgeSshKey = { id: string; userId: string; fingerprint: string; label: string };
/** Lines `<type> <base64>`. */
export type EdgeHostKey = { instanceId: string; publicKeys: string[] };
export type EdgePlace = { projectId: string; project: string; organization: string };

/** `subject` is an organization or an instance. */
export type EdgeSshRecorded = { subject: string; isFull: boolean };
/** A connection whose person has given their second factor after a key. */
export type EdgeSshFactor = { session: string; userId: string };

export type EdgeSshTables = {
  sshKeys: EdgeSshKey[];
  hostKeys: EdgeHostKey[];
  places: EdgePlace[];
  sshEnds: string[];
  sshRecorded: EdgeSshRecorded[];
  sshFactors: EdgeSshFactor[];
  /** Those that ask for a second factor. */
  factorOrganizations: string[];
};

export class SshTable {
  readonly #keys = new Map<string, EdgeSshKey>();
  readonly #hostKeys = new Map<string, string[]>();
  readonly #places = new Map<string, EdgePlace>();
  readonly #ends = new Set<string>();
  readonly #recorded = new Set<string>();
  readonly #full = new Set<string>();
  readonly #factors = new Map<string, string>();
  readonly #factorOrganizations = new Set<string>();

  key(fingerprint: string): EdgeSshKey | undefined {
    return this.#keys.get(fingerprint);
  }

  hostKeys(instanceId: string): readonly string[] {
    return this.#hostKeys.get(instanceId) ?? [];
  }

  place(projectId: string): EdgePlace | undefined {
    return this.#places.get(projectId);
  }

  /** Whether somebody asked for this session to end. */
  isEnding(session: string): boolean {
    return this.#ends.has(session);
  }

  recording(instance: { id: string; organizationId: string }): SshRecordingState {
    if (!this.#recorded.has(instance.id) && !this.#recorded.has(instance.organizationId)) return 'off';
    return this.#full.has(instance.organizationId) ? 'full' : 'on';
  }

  asksForFactor(organizationId: string): boolean {
    return this.#factorOrganizations.has(organizationId);
  }

  /** Whether this person has given their second factor on this connection. */
  hasGivenFactor(session: string, userId: string): boolean {
    return this.#factors.get(session) === userId;
  }

  putFactor({ session, userId }: EdgeSshFactor): void {
    this.#factors.set(session, userId);
  }

  forgetFactor(session: string): void {
    this.#factors.delete(session);
  }

  /** `subjects` were asked about; what is not among `rows` is not recorded (any more). */
  putRecorded(subjects: Iterable<string>, rows: readonly EdgeSshRecorded[]): void {
    for (const subject of subjects) {
      this.#recorded.delete(subject);
      this.#full.delete(subject);
    }
    for (const { subject, isFull } of rows) (isFull ? this.#full : this.#recorded).add(subject);
  }

  /** The same for organizations that ask for a second factor. */
  putFactorOrganizations(asked: Iterable<string>, asking: Iterable<string>): void {
    for (const id of asked) this.#factorOrganizations.delete(id);
    for (const id of asking) this.#factorOrganizations.add(id);
  }

  putKey(key: EdgeSshKey): void {
    this.#keys.set(key.fingerprint, key);
  }

  removeKeysOf(users: ReadonlySet<string>): void {
    for (const key of this.#keys.values()) if (users.has(key.userId)) this.#keys.delete(key.fingerprint);
  }

  putHostKey({ instanceId, publicKeys }: EdgeHostKey): void {
    this.#hostKeys.set(instanceId, publicKeys);
  }

  removeHostKey(instanceId: string): void {
    this.#hostKeys.delete(instanceId);
  }

  putPlace(place: EdgePlace): void {
    this.#places.set(place.projectId, place);
  }

  /** `ended`: those of `asked` that are to end; the others are not (any more). */
  putEnds(asked: Iterable<string>, ended: Iterable<string>): void {
    for (const session of asked) this.#ends.delete(session);
    for (const session of ended) this.#ends.add(session);
  }

  replace(tables: EdgeSshTables): void {
    for (const map of [this.#keys, this.#hostKeys, this.#places, this.#ends]) map.clear();
    for (const map of [this.#recorded, this.#full, this.#factors, this.#factorOrganizations]) map.clear();
    for (const key of tables.sshKeys) this.putKey(key);
    for (const row of tables.hostKeys) this.putHostKey(row);
    for (const place of tables.places) this.putPlace(place);
    this.putEnds([], tables.sshEnds);
    this.putRecorded([], tables.sshRecorded);
    for (const factor of tables.sshFactors) this.putFactor(factor);
    this.putFactorOrganizations([], tables.factorOrganizations);
  }

  dump(): EdgeSshTables {
    return {
      sshKeys: [...this.#keys.values()],
      hostKeys: [...this.#hostKeys].map(([instanceId, publicKeys]) => ({ instanceId, publicKeys })),
      sshRecorded: [
        ...[...this.#recorded].map((subject) => ({ subject, isFull: false })),
        ...[...this.#full].map((subject) => ({ subject, isFull: true })),
      ],
      sshFactors: [...this.#factors].map(([session, userId]) => ({ session, userId })),
      factorOrganizations: [...this.#factorOrganizations],
      places: [...this.#places.values()],
      sshEnds: [...this.#ends],
    };
  }
}
