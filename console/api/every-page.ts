/** Whole lists, where a part of one would say something wrong: who is not shown would look as if they had nothing. */
type Page<T> = { items: T[]; nextCursor: string | null };

export const PAGE_MAX = 200;

/** Every page of a list, one after another. */
export async function everyPage<T>(
  read: (query: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await read({ limit: PAGE_MAX, ...(cursor === null ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}
