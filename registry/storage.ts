/**
 * What docker-registry keeps on disk, read and cut back from outside: docker-registry itself knows no limit. What goes is
 * unlinked here (the manifests used longest ago, with their tags) and swept by docker-registry's own garbage collection.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { RegistryImage } from '#contract/registry-process.ts';
import { REGISTRY_IMAGES_SHOWN_MAX } from '#domain/registry.ts';
import { isDigest, layoutOf, type StorageLayout } from './layout.ts';
import type { Usage } from './usage.ts';

/** Larger ones are no manifests. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
const REPOSITORIES_MAX = 10_000;
/** Folders below each other that a name may have. */
const DEPTH_MAX = 20;
/** What was used this recently is being pulled right now. */
export const BUSY_MS = 120_000;
/** Room is made down to this share of the cap, so that it is not made for every blob anew. */
const LOW_WATER = 0.9;

type Manifest = { name: string; digest: string; children: string[]; blobs: string[]; lastUsed: number };

export class Storage {
  readonly #layout: StorageLayout;
  readonly #usage: Usage;

  constructor(root: string, usage: Usage) {
    this.#layout = layoutOf(root);
    this.#usage = usage;
  }

  /** True when a blob is here whole and the repository knows it: the next answer needs nobody else. */
  has(name: string, digest: string): boolean {
    return existsSync(this.#layout.blob(digest)) && existsSync(this.#layout.layer(name, digest));
  }

  /** Bytes of every blob by digest. */
  async blobs(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const part of await names(this.#layout.blobs)) {
      for (const hex of await names(join(this.#layout.blobs, part))) {
        const file = join(this.#layout.blobs, part, hex, 'data');
        const bytes = await stat(file).then(
          (info) => info.size,
          () => null,
        );
        if (bytes !== null) found.set(`sha256:${hex}`, bytes);
      }
    }
    return found;
  }

  /** Images by repository and tag, the last used first. */
  async images(): Promise<RegistryImage[]> {
    const blobs = await this.blobs();
    const found: RegistryImage[] = [];
    for (const name of await this.#repositories()) {
      const manifests = new Map((await this.#manifests(name)).map((each) => [each.digest, each]));
      for (const tag of await names(this.#layout.tags(name))) {
        const digest = await this.#current(name, tag);
        const manifest = digest === null ? undefined : manifests.get(digest);
        if (manifest === undefined) continue;
        const all = new Set([manifest.digest, ...manifest.blobs]);
        let lastUsed = manifest.lastUsed;
        for (const child of manifest.children) {
          const one = manifests.get(child);
          if (one === undefined) continue;
          lastUsed = Math.max(lastUsed, one.lastUsed);
          for (const blob of [child, ...one.blobs]) all.add(blob);
        }
        found.push({
          name,
          tag,
          digest: manifest.digest,
          bytes: [...all].reduce((sum, blob) => sum + (blobs.get(blob) ?? 0), 0),
          lastUsedAt: lastUsed === 0 ? null : new Date(lastUsed).toISOString(),
        });
      }
    }
    found.sort((a, b) => (b.lastUsedAt ?? '').localeCompare(a.lastUsedAt ?? '') || a.name.localeCompare(b.name));
    return found.slice(0, REGISTRY_IMAGES_SHOWN_MAX);
  }

  /**
   * Unlinks what was used longest ago until, once it is swept, no more than `LOW_WATER` of `bytesMax` less `needed` is
   * left; what is being pulled stays. Answers how many manifests went. `all`: everything goes.
   */
  async unlink(bytesMax: number, needed: number, all = false): Promise<number> {
    const blobs = await this.blobs();
    const manifests: Manifest[] = [];
    for (const name of await this.#repositories()) manifests.push(...(await this.#manifests(name)));
    const uses = new Map<string, number>();
    for (const one of manifests) for (const blob of held(one)) uses.set(blob, (uses.get(blob) ?? 0) + 1);
    // What no manifest holds is swept anyway.
    let left = 0;
    for (const [blob, bytes] of blobs) if (uses.has(blob)) left += bytes;
    const goal = all ? -1 : Math.min(bytesMax * LOW_WATER, bytesMax - needed);
    const gone: Manifest[] = [];
    for (const one of manifests.sort((a, b) => a.lastUsed - b.lastUsed)) {
      if (left <= goal || (!all && Date.now() - one.lastUsed < BUSY_MS)) break;
      for (const blob of held(one)) {
        const others = (uses.get(blob) ?? 1) - 1;
        uses.set(blob, others);
        if (others === 0) left -= blobs.get(blob) ?? 0;
      }
      gone.push(one);
    }
    const kept = new Map<string, Set<string>>();
    for (const one of manifests.filter((each) => !gone.includes(each))) {
      const layers = kept.get(one.name) ?? new Set<string>();
      for (const blob of one.blobs) layers.add(blob);
      kept.set(one.name, layers);
    }
    for (const one of gone) await this.#unlinkOne(one, kept.get(one.name) ?? null);
    return gone.length;
  }

  async #unlinkOne(one: Manifest, kept: Set<string> | null): Promise<void> {
    const { name, digest } = one;
    this.#usage.forget(name, digest);
    if (kept === null) {
      // The last one of its repository; what is inside another repository's folder stays.
      for (const part of ['_manifests', '_layers']) await remove(join(this.#layout.repository(name), part));
      return;
    }
    for (const tag of await names(this.#layout.tags(name))) {
      if ((await this.#current(name, tag)) === digest) await remove(this.#layout.tag(name, tag));
    }
    await remove(this.#layout.revision(name, digest));
    for (const blob of one.blobs) if (!kept.has(blob)) await remove(this.#layout.layer(name, blob));
  }

  async #repositories(): Promise<string[]> {
    const found: string[] = [];
    const walk = async (folder: string, depth: number): Promise<void> => {
      if (depth > DEPTH_MAX || found.length >= REPOSITORIES_MAX) return;
      for (const entry of await names(folder)) {
        if (entry === '_manifests') found.push(relative(this.#layout.repositories, folder));
        else if (!entry.startsWith('_')) await walk(join(folder, entry), depth + 1);
      }
    };
    await walk(this.#layout.repositories, 0);
    return found;
  }

  async #manifests(name: string): Promise<Manifest[]> {
    const found: Manifest[] = [];
    for (const hex of await names(this.#layout.revisions(name))) {
      const digest = `sha256:${hex}`;
      if (!isDigest(digest)) continue;
      const file = this.#layout.blob(digest);
      const text = await stat(file)
        .then((info) => (info.size > MANIFEST_BYTES_MAX ? '' : readFile(file, 'utf8')))
        .catch(() => '');
      found.push({ name, digest, ...references(text), lastUsed: this.#usage.lastUsed(name, digest) });
    }
    return found;
  }

  async #current(name: string, tag: string): Promise<string | null> {
    const text = await readFile(this.#layout.currentOf(name, tag), 'utf8').catch(() => '');
    return isDigest(text.trim()) ? text.trim() : null;
  }
}

/** A manifest and what it alone or with others needs. Lists do not hold their children: those are used by themselves. */
function held(one: Manifest): string[] {
  return [...new Set([one.digest, ...one.blobs])];
}

/** What a manifest points to: of one image its configuration and layers, of a list the manifests in it. */
export function references(text: string): { children: string[]; blobs: string[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { children: [], blobs: [] };
  }
  const { config, layers, manifests } = (parsed ?? {}) as Record<string, unknown>;
  const digests = (list: unknown): string[] =>
    (Array.isArray(list) ? list : []).flatMap((each: unknown) => {
      const digest = (each as { digest?: unknown } | null)?.digest;
      return typeof digest === 'string' && isDigest(digest) ? [digest] : [];
    });
  return { children: digests(manifests), blobs: [...digests([config]), ...digests(layers)] };
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
