/** A tar archive as a stream: made while it is read, nothing of it is kept. What is in it comes from the caller. */
import { BerthError } from '#domain/errors.ts';

const BLOCK_BYTES = 512;
const END_BLOCKS = 2;

export type TarEntry = {
  /** Relative; slashes between its parts. */
  path: string;
  mode: number;
  uid: number;
  gid: number;
  modifiedAt: Date;
} & (
  | { type: 'folder' }
  | { type: 'link'; target: string }
  /** Exactly `sizeBytes` stand in the archive: what is longer is cut, what is shorter gets zeros, as tar does. */
  | { type: 'file'; sizeBytes: number; content: () => AsyncIterable<Buffer> }
);

const types = { folder: 'Directory', link: 'SymbolicLink', file: 'File' } as const;

/** The bytes of the archive. Errors: those of the entries and their content. */
export async function* tarOf(entries: AsyncIterable<TarEntry>): AsyncGenerator<Buffer, void> {
  const [{ Header }, { Pax }] = await Promise.all([import('tar/header'), import('tar/pax')]);
  for await (const entry of entries) {
    const size = entry.type === 'file' ? entry.sizeBytes : 0;
    const fields = {
      path: entry.type === 'folder' ? `${entry.path}/` : entry.path,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size,
      mtime: entry.modifiedAt,
      type: types[entry.type],
      linkpath: entry.type === 'link' ? entry.target : '',
    };
    const header = new Header(fields);
    const needsMore = header.encode();
    if (header.block === undefined) throw new BerthError('internal', 'An entry has no header.');
    // What a plain header cannot say stands in one of its own, before it.
    if (needsMore) yield new Pax(fields).encode();
    yield header.block;
    if (entry.type === 'file') yield* exactly(size, entry.content);
  }
  yield Buffer.alloc(END_BLOCKS * BLOCK_BYTES);
}

async function* exactly(size: number, content: () => AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let left = size;
  if (left > 0) {
    for await (const piece of content()) {
      const taken = piece.subarray(0, left);
      left -= taken.length;
      yield taken;
      if (left === 0) break;
    }
  }
  for (; left > 0; left -= Math.min(left, ZEROS.length)) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
  const over = size % BLOCK_BYTES;
  if (over > 0) yield Buffer.alloc(BLOCK_BYTES - over);
}

const ZEROS = Buffer.alloc(64 * 1024);
