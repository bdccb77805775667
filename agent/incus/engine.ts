/** The Incus adapter: puts guests, networks, images, processes, files and events behind the `Engine` port. */
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import type { Engine, Opening, Passage } from '../engine.ts';
import { label, type Names } from '../names.ts';
import { IncusClient, segment } from './client.ts';
import { IncusDisks } from './disks.ts';
import { watchEvents } from './events.ts';
import { execCollect, execSession } from './exec.ts';
import { probeNicFilters } from './filters.ts';
import { IncusGuests, type NicFilters } from './guests.ts';
import { IncusImages } from './images.ts';
import { parseMetrics } from './metrics.ts';
import { moveGuest } from './moves.ts';
import { IncusNetworks } from './networks.ts';
import { IncusSnapshots } from './snapshots.ts';
import type { IncusPool, IncusPoolResources, IncusServer } from './types.ts';

export type IncusEngineOptions = {
  socketPath: string;
  names: Names;
  pool: string;
  hostAddresses: () => readonly string[];
  /** Ports of guests that the rules of their project's network let in. */
  openings: (project: ProjectId) => readonly Opening[];
  /** The port of the image cache at every gateway; null: there is none. */
  cachePort: () => number | null;
  /** Which guests of a project may reach each other. */
  passages: (project: ProjectId) => readonly Passage[];
};

/** Directory listings and small files read through the engine. */
const DIRECTORY_BYTES_MAX = 1024 * 1024;
const FILE_SECONDS_MAX = 30;
/** Some 8 kB a guest. */
const METRICS_BYTES_MAX = 32 * 1024 * 1024;
/** Oldest engine whose API this was written against. */
const VERSION_MIN = [6, 0] as const;

export function incusEngine(options: IncusEngineOptions): Engine & { close(): Promise<void> } {
  const client = new IncusClient(options.socketPath);
  let probing: Promise<NicFilters> | null = null;
  const filters = (): Promise<NicFilters> => {
    probing ??= probeNicFilters();
    return probing;
  };
  const guests = new IncusGuests(client, options.names, options.pool, filters);
  const snapshots = new IncusSnapshots(client, guests);
  const disks = new IncusDisks(client, guests, options.pool);
  const { names, hostAddresses, openings, cachePort, passages } = options;
  const networks = new IncusNetworks(client, names, hostAddresses, openings, cachePort, passages);
  const images = new IncusImages(client, options.names);

  const target = async (instance: InstanceId): Promise<{ name: string; project: string }> => {
    const { name, project } = await guests.locate(instance);
    return { name, project };
  };
  const running = async (instance: InstanceId): Promise<{ name: string; project: string }> => {
    const found = await guests.locate(instance);
    if (found.instance.status !== 'Running') throw new BerthError('state_conflict', 'Start it first.');
    return found;
  };
  const filesOf = (name: string): string => `/1.0/instances/${segment(name)}/files`;

  return {
    name: 'incus',
    close: () => client.close(),

    async facts() {
      const server = await client.call<IncusServer>('GET', '/1.0');
      const pool = await client.call<IncusPool>('GET', `/1.0/storage-pools/${segment(options.pool)}`);
      const use = await client.call<IncusPoolResources>('GET', `/1.0/storage-pools/${segment(options.pool)}/resources`);
      return {
        engine: 'Incus',
        engineVersion: server.environment.server_version,
        poolName: options.pool,
        poolDriver: pool.driver,
        poolBytes: use.space.total,
        poolUsedBytes: use.space.used,
      };
    },

    async missing() {
      const words: string[] = [];
      const server = await client.call<IncusServer>('GET', '/1.0');
      const version = server.environment.server_version.split('.').map(Number);
      if ((version[0] ?? 0) < VERSION_MIN[0])
        words.push(`Incus ${server.environment.server_version} is older than ${VERSION_MIN.join('.')}.`);
      if (server.environment.firewall !== 'nftables')
        words.push(`Incus uses ${server.environment.firewall} instead of nftables.`);
      const can = await filters();
      if (!can.mac)
        words.push(
          'The kernel cannot filter forged MAC addresses on bridges (nft bridge support): guests of one project could take over each other’s address.',
        );
      else if (!can.ip4 || !can.ip6) words.push('The kernel cannot filter forged IP addresses on bridges.');
      return words;
    },

    ensureNetwork: async (spec) => void (await networks.ensure(spec)),
    removeNetwork: (project) => networks.remove(project),
    guardNetwork: (spec) => networks.ensure(spec),

    create: (spec) => guests.create(spec),
    addressTaken: (place) => guests.addressTaken(place),
    clone: (source, spec) => guests.clone(source, spec),
    settle: (instance) => guests.settle(instance),
    observe: (instance) => guests.observe(instance),
    list: () => guests.list(),
    places: () => guests.list(false),
    readings: async () => parseMetrics(await client.text('/1.0/metrics', METRICS_BYTES_MAX), options.names.prefix),
    power: (instance, action, how) => guests.power(instance, action, how),
    resize: (instance, size) => guests.resize(instance, size),
    setHostnameLabel: (instance, hostname) => guests.setLabel(instance, label.hostname, hostname),
    move: (place) => moveGuest(guests, options.names, place),
    destroy: (instance) => guests.destroy(instance),

    createSnapshot: (instance, snapshot) => snapshots.create(instance, snapshot),
    restoreSnapshot: (instance, snapshot) => snapshots.restore(instance, snapshot),
    deleteSnapshot: (instance, snapshot) => snapshots.remove(instance, snapshot),

    freezeDisk: (instance, backup) => disks.freeze(instance, backup),
    thawDisk: (instance, backup) => disks.thaw(instance, backup),
    thawAll: () => disks.thawAll(options.names.installation),
    openDisk: (instance) => disks.open(instance),
    createHollow: (spec) => guests.createHollow(spec),

    exec: async (instance, argv, how) => execCollect(client, await running(instance), argv, how),
    terminal: async (instance, argv, how) => execSession(client, await running(instance), argv, how, how),
    follow: async (instance, argv) => execSession(client, await running(instance), argv, { uid: 0, gid: 0 }, null),

    async files(instance) {
      const { name, project } = await target(instance);
      return client.upgrade(`/1.0/instances/${segment(name)}/sftp`, { project }, 'sftp');
    },

    async readFile(instance, path, bytesMax) {
      const { name, project } = await target(instance);
      try {
        const file = await client.file(filesOf(name), { project, path }, bytesMax);
        // Links are not followed: a guest's root decides where they point.
        return file.type === 'file' ? file : null;
      } catch (error) {
        if (error instanceof BerthError && error.code === 'not_found') return null;
        throw error;
      }
    },

    async readDirectory(instance, path) {
      const { name, project } = await target(instance);
      try {
        const file = await client.file(filesOf(name), { project, path }, DIRECTORY_BYTES_MAX);
        return file.type === 'directory' ? file.entries : [];
      } catch (error) {
        if (error instanceof BerthError && error.code === 'not_found') return [];
        throw error;
      }
    },

    async writeFile(instance, path, content, mode) {
      const { name, project } = await target(instance);
      await client.upload(
        filesOf(name),
        Buffer.from(content),
        {
          'content-type': 'application/octet-stream',
          'x-incus-type': 'file',
          'x-incus-write': 'overwrite',
          'x-incus-mode': `0${mode.toString(8)}`,
          'x-incus-uid': '0',
          'x-incus-gid': '0',
        },
        { query: { project, path }, timeoutMs: FILE_SECONDS_MAX * 1000 },
      );
    },

    async removeFile(instance, path) {
      const { name, project } = await target(instance);
      try {
        await client.call('DELETE', filesOf(name), { query: { project, path } });
      } catch (error) {
        if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
      }
    },

    images: () => images.list(),
    importImage: (files, labels, signal) => images.importImage(files, labels, signal),
    pullImage: (source, labels, signal) => images.pullImage(source, labels, signal),
    warmImage: (fingerprint) => images.warm(fingerprint, options.pool),
    deleteImage: (fingerprint) => images.remove(fingerprint),

    watch: (onEvent, signal) => watchEvents(client, options.names, onEvent, signal),
  };
}
