/** Image verbs: builds from recipes, imports, the allow-list. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentInput } from '#contract/agent.ts';
import type { AgentBuildProgress, AgentImage, AgentRecipe } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { Engine } from './engine.ts';

/** What builds images; the `images` room behind a port. */
export type ImageBuilder = {
  recipes(): readonly (AgentRecipe & { description: string })[];
  build(
    recipe: string,
    onProgress: (progress: AgentBuildProgress) => void,
    signal: AbortSignal,
  ): Promise<{ metadataTar: string; rootfsTar: string; recipeHash: string }>;
};

type Progress = (progress: AgentBuildProgress) => void;
type Build = {
  listeners: Set<Progress>;
  last: AgentBuildProgress | null;
  result: Promise<AgentImage>;
  abort: AbortController;
};

/** How long a build goes on without anybody listening. */
const ABANDONED_MS = 120_000;

export class Images {
  readonly #engine: Engine;
  readonly #builder: ImageBuilder;
  readonly #importDir: string;
  readonly #builds = new Map<string, Build>();

  constructor(engine: Engine, builder: ImageBuilder, importDir: string) {
    this.#engine = engine;
    this.#builder = builder;
    this.#importDir = importDir;
  }

  list(): Promise<AgentImage[]> {
    return this.#engine.images();
  }

  recipes(): AgentRecipe[] {
    return this.#builder.recipes().map(({ name, kind, title, recipeHash }) => ({ name, kind, title, recipeHash }));
  }

  /**
   * Builds and imports, or adopts what is up to date. A second caller joins the build that runs; it is stopped when
   * every caller has been gone for a while.
   */
  async build(recipe: string, onProgress: Progress, signal: AbortSignal): Promise<AgentImage> {
    let build = this.#builds.get(recipe);
    if (build === undefined) {
      build = this.#start(recipe);
      this.#builds.set(recipe, build);
    }
    const { listeners, last, abort, result } = build;
    listeners.add(onProgress);
    if (last !== null) onProgress(last);
    const leave = (): void => {
      listeners.delete(onProgress);
      // A control plane that was restarted comes back and joins; only a build nobody wants any more is stopped.
      setTimeout(() => {
        if (listeners.size === 0) abort.abort();
      }, ABANDONED_MS).unref();
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await result;
    } finally {
      signal.removeEventListener('abort', leave);
      listeners.delete(onProgress);
    }
  }

  #start(name: string): Build {
    const abort = new AbortController();
    const build: Build = { listeners: new Set(), last: null, abort, result: Promise.resolve() as never };
    const tell: Progress = (progress) => {
      build.last = progress;
      for (const listener of build.listeners) listener(progress);
    };
    build.result = this.#run(name, tell, abort.signal).finally(() => this.#builds.delete(name));
    build.result.catch(() => undefined);
    return build;
  }

  async #run(name: string, tell: Progress, signal: AbortSignal): Promise<AgentImage> {
    const recipe = this.#builder.recipes().find((entry) => entry.name === name);
    if (recipe === undefined) throw new BerthError('not_found', 'There is no such recipe.');
    const present = (await this.#engine.images()).find(
      (image) => image.name === name && image.recipeHash === recipe.recipeHash,
    );
    if (present !== undefined) {
      tell({ phase: 'done', percent: 100, line: 'The image is up to date.' });
      return present;
    }
    // The last tenth is the import into the engine.
    const built = await this.#builder.build(
      name,
      (progress) => tell({ ...progress, percent: Math.round(progress.percent * 0.9) }),
      signal,
    );
    signal.throwIfAborted();
    tell({ phase: 'import', percent: 91, line: 'Importing into the engine.' });
    const image = await this.#engine.importImage(
      { metadata: built.metadataTar, rootfs: built.rootfsTar },
      { name, kind: recipe.kind, recipeHash: built.recipeHash, description: recipe.description },
      signal,
    );
    await this.#warm(image, tell);
    tell({ phase: 'done', percent: 100, line: 'The image is ready.' });
    return image;
  }

  /** Errors: not_found when there is no such file, unsupported for links and folders. */
  async import(
    { source, as }: AgentInput<'importImage'>,
    onProgress: Progress,
    signal: AbortSignal,
  ): Promise<AgentImage> {
    const labels: { name: string; kind: InstanceKind; description: string; recipeHash: null } = {
      ...as,
      recipeHash: null,
    };
    if (source.type === 'server') {
      onProgress({ phase: 'download', percent: 5, line: `Downloading ${source.alias}.` });
      return this.#warm(await this.#engine.pullImage(source, labels, signal), onProgress);
    }
    const unified = join(this.#importDir, source.path);
    const file = await lstat(unified).catch(() => null);
    if (file === null) throw new BerthError('not_found', 'There is no such file in the import folder.');
    if (!file.isFile()) throw new BerthError('unsupported', 'Only plain files can be imported.');
    onProgress({ phase: 'import', percent: 10, line: `Importing ${source.path}.` });
    return this.#warm(await this.#engine.importImage({ unified }, labels, signal), onProgress);
  }

  async #warm(image: AgentImage, onProgress: Progress): Promise<AgentImage> {
    onProgress({ phase: 'import', percent: 95, line: 'Unpacking into the storage pool.' });
    await this.#engine.warmImage(image.fingerprint);
    return image;
  }
}
