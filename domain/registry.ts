/**
 * The cache of container images that the Docker inside servers pulls through: bounds, what upstream says of its limits,
 * and when somebody should be told. Pure.
 */

/** Where guests reach it, on the gateway address of their own network. One number for every installation. */
export const REGISTRY_PORT = 5017;
/**
 * Marks packets that go to a cache by a door it has (a guest's own gateway and the port); nothing else on the host lets
 * guests in, so this is the one exception the host's own table makes. Guests cannot set it: marks end where packets leave
 * a network namespace.
 */
export const PULL_MARK = '0x62740001';
/** Docker asks a mirror only for images of Docker Hub, so this is what a mirror mostly stands for. */
export const DOCKER_HUB = 'https://registry-1.docker.io';
export const registryBytes = { min: 1024 ** 3, max: 10 * 1024 ** 4, default: 20 * 1024 ** 3 } as const;
/** The smallest cache the agent keeps; tests fill it in no time. */
export const REGISTRY_BYTES_FLOOR = 1024 ** 2;
/** Images that are shown, the last used first. */
export const REGISTRY_IMAGES_SHOWN_MAX = 100;

/** `starting` while it is being brought up; `failed` when it does not stay up: `problem` says why. */
export const registryStates = ['off', 'starting', 'running', 'failed'] as const;
export type RegistryState = (typeof registryStates)[number];

/** What the cache of a host shall be. */
export type RegistrySpec = {
  enabled: boolean;
  upstream: string;
  login: { username: string; password: string } | null;
  caCertificate: string | null;
  bytesMax: number;
  /** Counted up by whoever wants the cache emptied. */
  emptied: number;
};

export type CachedImage = { name: string; tag: string; digest: string; bytes: number; lastUsedAt: string | null };

/** How the cache of a host is. Bytes are counted since `since`. */
export type RegistryStatus = {
  state: RegistryState;
  problem: string | null;
  /** Why upstream does not answer as it should; null when it did at the last try. */
  upstreamProblem: string | null;
  usedBytes: number;
  images: CachedImage[];
  since: string;
  hits: number;
  misses: number;
  servedBytes: number;
  fetchedBytes: number;
  evictedBytes: number;
  limit: (UpstreamLimit & { at: string }) | null;
  /** Servers that use it, and those whose people have arranged it otherwise. */
  mirrors: { using: number; theirs: number };
};

/** What upstream lets through: `remaining` of `limit` manifests in a sliding window. */
export type UpstreamLimit = { limit: number; remaining: number; windowSeconds: number | null };

/** Fewer than this share left (and never more than this many) is worth a warning. */
const SHARE_LOW = 0.1;
const LEFT_LOW_MIN = 5;

/**
 * Reads `RateLimit-Limit: 100;w=21600` and `RateLimit-Remaining: 76;w=21600`, as Docker Hub sends them with manifests;
 * the window may be absent. Null when there are none.
 */
export function parseUpstreamLimit(limit: string | undefined, remaining: string | undefined): UpstreamLimit | null {
  const all = parseFigure(limit);
  const left = parseFigure(remaining);
  if (all === null || left === null) return null;
  return { limit: all.value, remaining: left.value, windowSeconds: left.windowSeconds ?? all.windowSeconds };
}

function parseFigure(text: string | undefined): { value: number; windowSeconds: number | null } | null {
  const match = /^\s*(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?\s*(?:[,;]|$)/.exec(text ?? '');
  if (match === null) return null;
  return { value: Number(match[1]), windowSeconds: match[2] === undefined ? null : Number(match[2]) };
}

/** True when few are left, as long as the window in which that was said has not passed. */
export function isLimitLow(seen: UpstreamLimit & { at: string }, now: number): boolean {
  if (seen.windowSeconds !== null && now - Date.parse(seen.at) > seen.windowSeconds * 1000) return false;
  return seen.remaining <= Math.max(LEFT_LOW_MIN, Math.floor(seen.limit * SHARE_LOW));
}

/** Share of the blobs asked for that were here already, 0 to 1; null before the first. */
export function hitRate({ hits, misses }: { hits: number; misses: number }): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}

/** What servers got without upstream being asked for it. */
export function savedBytes({ servedBytes, fetchedBytes }: { servedBytes: number; fetchedBytes: number }): number {
  return Math.max(0, servedBytes - fetchedBytes);
}

/** True, or why this cannot be an upstream: only where a registry answers, without a path or anything secret in it. */
export function upstreamAbility(text: string): true | string {
  const url = URL.parse(text);
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    return 'An address such as https://registry.example.';
  if (url.username !== '' || url.password !== '') return 'User and password have fields of their own.';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return 'Only scheme, host and port, without a path.';
  return true;
}
