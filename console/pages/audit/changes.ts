/** What an entry changed, as rows: one for every value that is in either side. */
export type Change = { path: string; before: string | null; after: string | null; changed: boolean };

/** `null` for a side means that the value was not there. Changed ones first, in the order they came. */
export function changesOf(before: unknown, after: unknown): Change[] {
  const old = new Map(leaves(before, ''));
  const now = new Map(leaves(after, ''));
  const rows = [...new Set([...old.keys(), ...now.keys()])].map((path) => {
    const was = old.get(path) ?? null;
    const is = now.get(path) ?? null;
    return { path, before: was, after: is, changed: was !== is };
  });
  return [...rows.filter((row) => row.changed), ...rows.filter((row) => !row.changed)];
}

function leaves(value: unknown, path: string): [string, string][] {
  if (value === null || value === undefined) return path === '' ? [] : [[path, 'none']];
  if (typeof value !== 'object') return [[path === '' ? 'value' : path, String(value)]];
  const members = Object.entries(value);
  if (members.length === 0) return path === '' ? [] : [[path, Array.isArray(value) ? 'empty list' : 'empty']];
  return members.flatMap(([name, member]) => leaves(member, path === '' ? name : `${path}.${name}`));
}
