/** The file system of a simulated guest: in memory, with the errors of a real one. */
import { Readable } from 'node:stream';
import { BerthError, notFound } from '#domain/errors.ts';
import { type FileEntry, joinPath, nameOf, parentOf } from '#domain/files.ts';
import type { GuestTask } from '#domain/guest-runs.ts';
import type { GuestFiles } from '../interface.ts';

type Node = Omit<FileEntry, 'name' | 'sizeBytes' | 'leadsTo'> & { content: Buffer };
export type SimulatedDisk = Map<string, Node>;

const LINKS_MAX = 8;
const none = Buffer.alloc(0);
const missing = () => notFound('file or folder');

/** What a new guest has. */
export function newDisk(at: string): SimulatedDisk {
  const disk: SimulatedDisk = new Map();
  const put = (path: string, type: Node['type'], mode: number, id: number, text = '', target: string | null = null) =>
    disk.set(path, { type, mode, uid: id, gid: id, modifiedAt: at, target, content: Buffer.from(text) });
  for (const path of ['/', '/etc', '/home', '/var', '/var/log']) put(path, 'folder', 0o755, 0);
  put('/home/berth', 'folder', 0o750, 1000);
  put('/home/berth/readme.txt', 'file', 0o644, 1000, 'Welcome.\n');
  put('/etc/hostname', 'file', 0o644, 0, 'simulated\n');
  put('/etc/hosts', 'file', 0o644, 0, '127.0.0.1 localhost\n');
  put('/root', 'folder', 0o700, 0);
  put('/readme', 'link', 0o777, 0, '', '/home/berth/readme.txt');
  return disk;
}

/** An archive is a text with a line for each entry, which is what is unpacked of it: empty files. */
export function runArchive(disk: SimulatedDisk, task: Extract<GuestTask, { type: 'pack' | 'unpack' }>): void {
  const { uid, gid } = task;
  const put = (path: string, text: string) =>
    disk.set(path, {
      type: 'file',
      mode: 0o644,
      uid,
      gid,
      modifiedAt: new Date(0).toISOString(),
      target: null,
      content: Buffer.from(text),
    });
  if (task.type === 'pack') {
    put(task.to, task.names.join('\n'));
    return;
  }
  const lines = disk.get(task.path)?.content.toString('utf8').split('\n') ?? [];
  for (const name of lines.filter((line) => line !== '')) put(joinPath(task.to, name), '');
}

/** Kept with the guest whenever something was packed or unpacked, so that it outlives the process. */
export type KeptDisk = [path: string, node: Omit<Node, 'content'> & { content: string }][];

export const keepDisk = (disk: SimulatedDisk): KeptDisk =>
  [...disk].map(([path, node]) => [path, { ...node, content: node.content.toString('base64') }]);

export const restoreDisk = (kept: KeptDisk): SimulatedDisk =>
  new Map(kept.map(([path, node]) => [path, { ...node, content: Buffer.from(node.content, 'base64') }]));

export function simulatedFiles(disk: SimulatedDisk, now: () => string): GuestFiles {
  const nodeAt = (path: string): Node => {
    const node = disk.get(path);
    if (node === undefined) throw missing();
    return node;
  };
  const followed = (path: string): Node => {
    let node = nodeAt(path);
    for (let hops = 0; node.target !== null; hops++) {
      if (hops === LINKS_MAX) throw new BerthError('conflict', 'The instance refused this.');
      node = nodeAt(node.target);
    }
    return node;
  };
  const entryOf = (path: string, node: Node): FileEntry => {
    const { content, ...rest } = node;
    const end = node.target === null ? undefined : disk.get(node.target);
    const leadsTo = end === undefined ? null : { type: end.type, sizeBytes: end.content.length };
    return { ...rest, name: nameOf(path), sizeBytes: content.length, leadsTo };
  };
  const inFolder = (path: string): void => {
    if (followed(parentOf(path)).type !== 'folder') throw missing();
  };
  const free = (path: string): void => {
    inFolder(path);
    if (disk.has(path)) throw new BerthError('conflict', 'There is something with this name already.');
  };
  const below = (path: string) => [...disk.keys()].filter((each) => each.startsWith(`${path}/`));

  return {
    async list(folder, max) {
      if (followed(folder).type !== 'folder') throw missing();
      const names = [...disk.keys()].filter((path) => path !== '/' && parentOf(path) === folder).sort();
      const entries = names.slice(0, max).map((path) => entryOf(path, nodeAt(path)));
      return { entries, complete: names.length <= max };
    },
    look: async (path) => entryOf(path, nodeAt(path)),
    follow: async (path) => entryOf(path, followed(path)),
    read: (path) => Readable.from([followed(path).content]),
    async writePart(path, offset, content) {
      if (offset === 0) {
        free(path);
        const node: Node = {
          type: 'file',
          mode: 0o644,
          uid: 0,
          gid: 0,
          modifiedAt: now(),
          target: null,
          content: none,
        };
        disk.set(path, node);
      }
      const node = nodeAt(path);
      const grown = Buffer.alloc(Math.max(node.content.length, offset + content.length));
      node.content.copy(grown);
      content.copy(grown, offset);
      disk.set(path, { ...node, content: grown, modifiedAt: now() });
    },
    async makeFolder(path, mode) {
      free(path);
      disk.set(path, { type: 'folder', mode, uid: 0, gid: 0, modifiedAt: now(), target: null, content: none });
    },
    async rename(from, to, replace) {
      const node = nodeAt(from);
      inFolder(to);
      if (disk.has(to) && !replace) {
        throw new BerthError('conflict', `There is something called "${nameOf(to)}" already.`);
      }
      for (const path of below(from)) {
        disk.set(joinPath(to, path.slice(from.length + 1)), nodeAt(path));
        disk.delete(path);
      }
      disk.delete(from);
      disk.set(to, node);
    },
    async remove({ path }) {
      nodeAt(path);
      if (below(path).length > 0) throw new BerthError('conflict', 'The folder is not empty.');
      disk.delete(path);
    },
    async setMode(path, mode) {
      disk.set(path, { ...nodeAt(path), mode });
    },
    async setOwner(path, uid, gid) {
      disk.set(path, { ...nodeAt(path), uid, gid });
    },
    close: () => undefined,
  };
}
