/** Files of the mock's instances: one small tree for all of them, forgotten with the mock. */
import { BerthError, notFound } from '#domain/errors.ts';
import { type FileEntry, fileVersion, joinPath, nameOf, parentOf } from '#domain/files.ts';
import type { Handlers } from './handlers.ts';
import { find } from './instance-parts.ts';
import { makeOperation } from './make.ts';
import { run } from './simulate.ts';
import { iso, type MockState, present, record } from './state.ts';

type Node = Omit<FileEntry, 'name' | 'leadsTo'> & { text: string };
type FileHandlers = Pick<
  Handlers,
  | 'filesArchive'
  | 'filesPack'
  | 'filesUnpack'
  | 'filesList'
  | 'filesRead'
  | 'filesWrite'
  | 'filesMakeFolder'
  | 'filesMove'
  | 'filesSetMode'
  | 'filesRemove'
>;

const tree = new Map<string, Node>();
function put(path: string, type: Node['type'], text = '', more: Partial<Node> = {}): void {
  const owner = path.startsWith('/home/berth') ? 1000 : 0;
  const mode = type === 'folder' ? 0o755 : 0o644;
  const sizeBytes = new TextEncoder().encode(text).length;
  tree.set(path, { type, sizeBytes, mode, uid: owner, gid: owner, modifiedAt: iso(), target: null, text, ...more });
}
for (const path of ['/', '/etc', '/home', '/home/berth', '/home/berth/site', '/home/berth/.config', '/srv', '/var']) {
  put(path, 'folder', '', { modifiedAt: iso(Date.now() - 86_400_000 * 12) });
}
put('/home/berth/readme.md', 'file', '# Welcome\n\nEverything in here is yours.\n');
put(
  '/home/berth/compose.yaml',
  'file',
  'services:\n  web:\n    image: caddy:2\n    ports:\n      - "80:80"\n    volumes:\n      - ./site:/srv\n',
  { modifiedAt: iso(Date.now() - 3_600_000 * 5) },
);
put('/home/berth/site/index.html', 'file', '<!doctype html>\n<title>Hello</title>\n<h1>Hello from the harbour</h1>\n');
put('/home/berth/backup.tar.gz', 'file', 'x'.repeat(2000), { sizeBytes: 734_003_200, mode: 0o600 });
put('/home/berth/deploy.sh', 'file', '#!/bin/sh\nset -eu\ndocker compose up -d\n', { mode: 0o755 });
put('/home/berth/.bashrc', 'file', 'alias ll="ls -l"\n');
put('/home/berth/latest.html', 'link', '', { target: '/home/berth/site/index.html', mode: 0o777 });
put('/home/berth/www', 'link', '', { target: '/home/berth/site', mode: 0o777 });
put('/etc/hostname', 'file', 'atlas\n');
put('/etc/hosts', 'file', '127.0.0.1 localhost\n');

function at(path: string): Node {
  const node = tree.get(path);
  if (node === undefined) throw notFound('file or folder');
  return node.target === null ? node : at(node.target);
}
function item(path: string) {
  const node = tree.get(path);
  if (node === undefined) throw notFound('file or folder');
  const { text: _text, ...rest } = node;
  const end = node.target === null ? undefined : tree.get(node.target);
  const leadsTo = end === undefined ? null : { type: end.type, sizeBytes: end.sizeBytes };
  return { ...rest, leadsTo, name: nameOf(path), version: fileVersion(rest) };
}
const below = (path: string) => [...tree.keys()].filter((each) => each.startsWith(`${path}/`));

/** A command inside that takes a moment; an archive called `fail-...` does not work. */
function begin(
  state: MockState,
  id: string,
  kind: 'files.pack' | 'files.unpack',
  what: string,
  step: string,
  done: () => void,
) {
  const row = find(state, id);
  const operation = makeOperation(state, kind, `${what} on ${row.name}`, row, [step, 'Put it in its place']);
  record(state, kind, 'instance', row.id, row.name);
  const fail = what.includes('fail-') ? { fail: 'Already there: "notes.txt". Nothing was changed.' } : {};
  run(state, operation, null, [{ at: 0, ms: 4_000, ...fail }], (ok) => {
    if (ok) done();
  });
  const [first] = operation.steps;
  setTimeout(() => {
    if (first?.state === 'running') first.message = '51 MB so far';
  }, 1_000);
  return { operation, instance: present(state, row) };
}

export const fileHandlers: FileHandlers = {
  filesList: (_state, { query }) => {
    const folder = tree.get(query.path)?.target ?? query.path;
    if (at(folder).type !== 'folder') throw notFound('folder');
    const paths = [...tree.keys()].filter((path) => path !== '/' && parentOf(path) === folder);
    return { path: query.path, items: paths.sort().map(item), complete: true, can: { write: true, pack: true } };
  },
  filesRead: (_state, { query }) => at(query.path).text,
  filesArchive: (_state, { query }) => query.names,
  filesPack: (state, { params, body }) => {
    if (tree.has(body.to)) throw new BerthError('conflict', `Already there: "${nameOf(body.to)}".`);
    return begin(state, params.instance, 'files.pack', `Pack ${nameOf(body.to)}`, 'Pack', () =>
      put(body.to, 'file', body.names.join('\n'), { sizeBytes: 48_200_000 }),
    );
  },
  filesUnpack: (state, { params, body }) =>
    begin(state, params.instance, 'files.unpack', `Unpack ${nameOf(body.path)}`, 'Unpack', () => {
      put(body.to, 'folder');
      put(joinPath(body.to, 'notes.txt'), 'file', 'Out of an archive.\n');
    }),
  filesWrite: (_state, { query, body }) => {
    if (nameOf(query.path).startsWith('fail-')) throw new BerthError('conflict', 'The disk of the instance is full.');
    const before = tree.get(query.path);
    if (before !== undefined && query.replace !== 'true') {
      throw new BerthError('conflict', `There is a file called "${nameOf(query.path)}" already.`);
    }
    if (query.last !== 'true') return null;
    put(query.path, 'file', new TextDecoder().decode(body), before === undefined ? {} : { mode: before.mode });
    return item(query.path);
  },
  filesMakeFolder: (_state, { body }) => {
    if (tree.has(body.path)) throw new BerthError('conflict', 'There is something with this name already.');
    put(body.path, 'folder');
    return item(body.path);
  },
  filesMove: (_state, { body }) => {
    if (tree.has(body.to)) throw new BerthError('conflict', 'There is something with this name already.');
    for (const path of [body.from, ...below(body.from)]) {
      const node = tree.get(path);
      tree.delete(path);
      if (node !== undefined)
        tree.set(path === body.from ? body.to : joinPath(body.to, path.slice(body.from.length + 1)), node);
    }
    return item(body.to);
  },
  filesSetMode: (_state, { body }) => {
    tree.set(body.path, { ...at(body.path), mode: body.mode });
    return item(body.path);
  },
  filesRemove: (_state, { query }) => {
    const paths = [query.path, ...below(query.path)];
    for (const path of paths) tree.delete(path);
    return { removed: paths.length };
  },
};
