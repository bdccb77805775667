/**
 * Images in the engine's default project, marked per installation by properties, so that two installations on one
 * machine can share the bytes of one image and each still removes only its own claim on it.
 */

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import type { AgentImage } from '#contract/agent-results.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { type InstanceKind, instanceKinds } from '#domain/instances.ts';
import type { ImageLabels } from '../engine.ts';
import { label, type Names } from '../names.ts';
import { type IncusClient, segment } from './client.ts';
import type { IncusImage } from './types.ts';

const IMPORT_SECONDS_MAX = 900;
const PULL_SECONDS_MAX = 3600;
const UPLOAD_ATTEMPTS_MAX = 3;
const UNPACK_SECONDS_MAX = 900;
const SHARED = { project: 'default' };

export class IncusImages {
  readonly #client: IncusClient;
  readonly #names: Names;

  constructor(client: IncusClient, names: Names) {
    this.#client = client;
    this.#names = names;
  }

  async list(): Promise<AgentImage[]> {
    const all = await this.#client.call<IncusImage[]>('GET', '/1.0/images', { query: { ...SHARED, recursion: 1 } });
    return (all ?? []).flatMap((image) => this.#ours(image) ?? []);
  }

  async importImage(
    files: { metadata: string; rootfs: string } | { unified: string },
    labels: ImageLabels,
    signal: AbortSignal,
  ): Promise<AgentImage> {
    for (let attempt = 1; ; attempt++) {
      const fingerprint = await this.#upload(files, signal);
      try {
        return await this.#claim(fingerprint, labels);
      } catch (error) {
        // Another installation let go of the same bytes in between.
        const vanished = error instanceof BerthError && error.code === 'not_found';
        if (!vanished || attempt >= UPLOAD_ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #upload(
    files: { metadata: string; rootfs: string } | { unified: string },
    signal: AbortSignal,
  ): Promise<string> {
    const headers: Record<string, string> = { 'x-incus-public': 'false' };
    let body: Readable;
    if ('unified' in files) {
      headers['content-type'] = 'application/octet-stream';
      headers['x-incus-filename'] = encodeURIComponent(basename(files.unified));
      body = createReadStream(files.unified);
    } else {
      const boundary = `berth-${randomUUID()}`;
      headers['content-type'] = `multipart/form-data; boundary=${boundary}`;
      const parts = [
        { field: 'metadata', path: files.metadata },
        { field: 'rootfs', path: files.rootfs },
      ];
      headers['content-length'] = String(await multipartLength(parts, boundary));
      body = Readable.from(multipart(parts, boundary));
    }
    try {
      const options = { query: SHARED, timeoutMs: IMPORT_SECONDS_MAX * 1000, signal };
      const started = await this.#client.upload('/1.0/images', body, headers, options);
      const done = await this.#client.wait(started.operation, IMPORT_SECONDS_MAX);
      return String(done.metadata?.['fingerprint'] ?? '');
    } catch (error) {
      // The engine has exactly these bytes already (from a build whose end was lost, or from another installation).
      const detail = error instanceof BerthError ? (error.detail ?? '') : '';
      if (!/same fingerprint/i.test(detail)) throw error;
      return fingerprintOf('unified' in files ? [files.unified] : [files.metadata, files.rootfs]);
    }
  }

  async pullImage(
    source: { url: string; protocol: 'simplestreams' | 'incus'; alias: string },
    labels: ImageLabels,
    signal: AbortSignal,
  ): Promise<AgentImage> {
    const started = await this.#client.start('POST', '/1.0/images', {
      query: SHARED,
      body: {
        auto_update: false,
        public: false,
        source: {
          type: 'image',
          mode: 'pull',
          server: source.url,
          protocol: source.protocol,
          alias: source.alias,
          image_type: 'container',
        },
      },
    });
    const cancel = (): void =>
      void this.#client.call('DELETE', started.operation.split('?')[0] ?? '').catch(() => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const done = await this.#client.wait(started.operation, PULL_SECONDS_MAX);
      return await this.#claim(String(done.metadata?.['fingerprint'] ?? ''), labels);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /**
   * Unpacks an image into the pool by making a guest that never starts and removing it again: the engine keeps the
   * unpacked copy and clones every later guest from it in a fraction of a second.
   */
  async warm(fingerprint: string, pool: string): Promise<void> {
    const project = `${this.#names.prefix}images`;
    const name = `warm-${fingerprint.slice(0, 12)}`;
    try {
      await this.#client.call('POST', '/1.0/projects', {
        body: {
          name: project,
          description: 'Berth images',
          config: {
            'features.images': 'false',
            'features.profiles': 'true',
            restricted: 'true',
            'limits.virtual-machines': '0',
            [label.installation]: this.#names.installation,
          },
        },
      });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'conflict') throw error;
    }
    const gone = async (): Promise<void> => {
      try {
        await this.#client.operate('DELETE', `/1.0/instances/${segment(name)}`, { query: { project } });
      } catch (error) {
        if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
      }
    };
    await gone();
    await this.#client.operate('POST', '/1.0/instances', {
      query: { project },
      body: {
        name,
        type: 'container',
        profiles: [],
        config: { [label.installation]: this.#names.installation },
        devices: { root: { type: 'disk', path: '/', pool } },
        source: { type: 'image', fingerprint },
      },
      waitSeconds: UNPACK_SECONDS_MAX,
    });
    await gone();
  }

  /** Takes our claim off; the bytes go when nobody else holds one. Errors: not_found. */
  async remove(fingerprint: string): Promise<void> {
    const found = await this.#get(fingerprint);
    if (found === null || this.#ours(found.value) === null) throw notFound('image on this host');
    const prefix = this.#key('');
    const others = Object.keys(found.value.properties).some(
      (key) => key.startsWith(ANY_CLAIM) && !key.startsWith(prefix),
    );
    if (!others) {
      await this.#client.operate('DELETE', `/1.0/images/${segment(fingerprint)}`, { query: SHARED });
      return;
    }
    for (const alias of found.value.aliases)
      if (alias.name.startsWith(this.#names.prefix)) await this.#dropAlias(alias.name);
    const properties = Object.fromEntries(
      Object.entries(found.value.properties).filter(([key]) => !key.startsWith(prefix)),
    );
    await this.#put(found, properties);
  }

  async #claim(fingerprint: string, labels: ImageLabels): Promise<AgentImage> {
    const found = await this.#get(fingerprint);
    if (found === null) throw notFound('image on this host');
    if (found.value.type !== 'container')
      throw new BerthError('unsupported', 'Only container images can be used here.');
    await this.#put(found, {
      ...found.value.properties,
      [this.#key('name')]: labels.name,
      [this.#key('kind')]: labels.kind,
      [this.#key('recipe')]: labels.recipeHash ?? '',
      [this.#key('description')]: labels.description,
      [this.#key('created')]: new Date().toISOString(),
    });
    await this.#point(this.#names.imageAlias(labels.name), fingerprint);
    const image = this.#ours((await this.#get(fingerprint))?.value ?? found.value);
    if (image === null) throw new BerthError('upstream_failed', 'The engine did not keep the image labels.');
    return image;
  }

  async #point(alias: string, fingerprint: string): Promise<void> {
    await this.#dropAlias(alias);
    await this.#client.call('POST', '/1.0/images/aliases', {
      query: SHARED,
      body: { name: alias, target: fingerprint, description: 'Berth' },
    });
  }

  async #dropAlias(alias: string): Promise<void> {
    try {
      await this.#client.call('DELETE', `/1.0/images/aliases/${segment(alias)}`, { query: SHARED });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
    }
  }

  async #put(found: { value: IncusImage; etag: string }, properties: Record<string, string>): Promise<void> {
    await this.#client.call('PUT', `/1.0/images/${segment(found.value.fingerprint)}`, {
      query: SHARED,
      body: { auto_update: false, public: false, profiles: ['default'], properties },
      etag: found.etag,
    });
  }

  async #get(fingerprint: string): Promise<{ value: IncusImage; etag: string } | null> {
    try {
      return await this.#client.callWithTag<IncusImage>(`/1.0/images/${segment(fingerprint)}`, { query: SHARED });
    } catch (error) {
      if (error instanceof BerthError && error.code === 'not_found') return null;
      throw error;
    }
  }

  #ours(image: IncusImage): AgentImage | null {
    const name = image.properties[this.#key('name')];
    const kind = image.properties[this.#key('kind')] as InstanceKind | undefined;
    if (name === undefined || kind === undefined || !instanceKinds.includes(kind)) return null;
    return {
      fingerprint: image.fingerprint,
      name,
      kind,
      recipeHash: image.properties[this.#key('recipe')] || null,
      sizeBytes: image.size,
      createdAt: image.properties[this.#key('created')] ?? image.uploaded_at,
      description: image.properties[this.#key('description')] ?? '',
    };
  }

  #key(name: string): string {
    return `${ANY_CLAIM}${this.#names.installation}.${name}`;
  }
}

const ANY_CLAIM = 'user.berth.';

/** The engine's fingerprint of an image: sha256 over its files, one after the other. */
async function fingerprintOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest('hex');
}

type Part = { field: string; path: string };

function partHead(part: Part, boundary: string): Buffer {
  const name = basename(part.path).replace(/[^A-Za-z0-9._-]/g, '_');
  return Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="${part.field}"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
}

const partEnd = Buffer.from('\r\n');
const formEnd = (boundary: string): Buffer => Buffer.from(`--${boundary}--\r\n`);

async function multipartLength(parts: readonly Part[], boundary: string): Promise<number> {
  let length = formEnd(boundary).length;
  for (const part of parts) length += partHead(part, boundary).length + (await stat(part.path)).size + partEnd.length;
  return length;
}

async function* multipart(parts: readonly Part[], boundary: string): AsyncGenerator<Buffer> {
  for (const part of parts) {
    yield partHead(part, boundary);
    yield* createReadStream(part.path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
    yield partEnd;
  }
  yield formEnd(boundary);
}
