/** Where docker-registry (2.8, filesystem storage) keeps what, below its root. Paths only; names come checked. */
import { join } from 'node:path';

/** What Docker asks for: a name, and a tag or digest. */
const NAME = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const PULL = new RegExp(
  `^/v2/(${NAME})/(?:(manifests)/([A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64})|(blobs)/(sha256:[0-9a-f]{64}))$`,
);
const NAME_LENGTH_MAX = 255;

export type Pull = { name: string; kind: 'manifests' | 'blobs'; reference: string };

/** What a path asks for; null for everything that is no pull (lists, uploads, other registries' ways). */
export function parsePull(path: string): Pull | null {
  const match = PULL.exec(path);
  const name = match?.[1];
  if (match === null || name === undefined || name.length > NAME_LENGTH_MAX) return null;
  return match[2] === 'manifests'
    ? { name, kind: 'manifests', reference: match[3] ?? '' }
    : { name, kind: 'blobs', reference: match[5] ?? '' };
}

export function isDigest(reference: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(reference);
}

const hexOf = (digest: string): string => digest.slice('sha256:'.length);

export function layoutOf(root: string) {
  const base = join(root, 'docker/registry/v2');
  const repositories = join(base, 'repositories');
  const blobs = join(base, 'blobs/sha256');
  return {
    /** When docker-registry would let go of what. */
    schedule: join(root, 'scheduler-state.json'),
    repositories,
    blobs,
    blob: (digest: string) => join(blobs, hexOf(digest).slice(0, 2), hexOf(digest), 'data'),
    repository: (name: string) => join(repositories, name),
    revisions: (name: string) => join(repositories, name, '_manifests/revisions/sha256'),
    revision: (name: string, digest: string) => join(repositories, name, '_manifests/revisions/sha256', hexOf(digest)),
    tags: (name: string) => join(repositories, name, '_manifests/tags'),
    tag: (name: string, tag: string) => join(repositories, name, '_manifests/tags', tag),
    currentOf: (name: string, tag: string) => join(repositories, name, '_manifests/tags', tag, 'current/link'),
    layer: (name: string, digest: string) => join(repositories, name, '_layers/sha256', hexOf(digest)),
  };
}
export type StorageLayout = ReturnType<typeof layoutOf>;
