/** What edge keeps to decide about SSH: keys of people, host keys of instances, names of projects, ends that were asked for. */

export type EdgeSshKey = { id: string; userId: string; fingerprint: string; label: string };
/** Lines `<type> <base64>`. */
export type EdgeHostKey = { instanceId: string; publicKeys: string[] };
export type EdgePlace = { projectId: string; project: string; organization: string };

export type EdgeSshTables = { sshKeys: EdgeSshKey[]; hostKeys: EdgeHostKey[]; places: EdgePlace[]; sshEnds: string[] };

export class SshTable {
  readonly #keys = new Map<string, EdgeSshKey>();
  readonly #hostKeys = new Map<string, string[]>();
  readonly #places = new Map<string, EdgePlace>();
  readonly #ends = new Set<string>();

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
    for (const key of tables.sshKeys) this.putKey(key);
    for (const row of tables.hostKeys) this.putHostKey(row);
    for (const place of tables.places) this.putPlace(place);
    this.putEnds([], tables.sshEnds);
  }

  dump(): EdgeSshTables {
    return {
      sshKeys: [...this.#keys.values()],
      hostKeys: [...this.#hostKeys].map(([instanceId, publicKeys]) => ({ instanceId, publicKeys })),
      places: [...this.#places.values()],
      sshEnds: [...this.#ends],
    };
  }
}
