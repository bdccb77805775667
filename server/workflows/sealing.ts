/**
 * Sealing keys in use: read at the start and whenever they change, and everything sealed brought under the current one.
 * Every step may be cut off anywhere: a value is sealed with one key or with the other, and both are there until no row
 * needs the old one.
 */
import { KeyMissing, type KeyRing, makeSealingKey } from '../runtime/secrets.ts';
import type { Db } from '../store/database.ts';
import {
  insertFirstSealingKey,
  listSealedOtherwise,
  listSealingKeys,
  replaceSealed,
  rewriteSealingKey,
  type SealedColumn,
  sealedColumns,
  sealedCounts,
  sealingKeyPlace,
} from '../store/sealing-keys.ts';

const BATCH = 100;

/**
 * Makes the first key of a new installation, reads all and sees that everything sealed can be opened. Errors: KeyMissing.
 */
export async function openSealingKeys(db: Db, ring: KeyRing, now: Date): Promise<void> {
  if ((await listSealingKeys(db)).length === 0) {
    const key = makeSealingKey();
    const id = ring.add(key);
    const keySealed = ring.sealWith(ring.masterId, sealingKeyPlace(id), key.toString('base64'));
    await insertFirstSealingKey(db, { id, keySealed, now });
  }
  await loadSealingKeys(db, ring);
  const missing = [...(await sealedCounts(db)).keys()].filter((id) => !ring.has(id));
  if (missing.length > 0) throw new KeyMissing(missing);
}

/** Reads the keys as they are now. Those under an older master key are sealed with the newest. Errors: KeyMissing. */
export async function loadSealingKeys(db: Db, ring: KeyRing): Promise<void> {
  for (const { id, keySealed, state } of await listSealingKeys(db)) {
    const place = sealingKeyPlace(id);
    const masterId = keySealed.split('.')[1] ?? 'unknown';
    if (!ring.has(masterId)) throw new KeyMissing([masterId]);
    const text = ring.open(place, keySealed);
    ring.add(Buffer.from(text, 'base64'));
    if (state === 'current') ring.use(id);
    if (masterId !== ring.masterId) {
      await rewriteSealingKey(db, id, keySealed, ring.sealWith(ring.masterId, place, text));
    }
  }
}

/** Seals with the current key whatever another one sealed; answers how many values. */
export async function sealAnew(db: Db, ring: KeyRing, signal: AbortSignal): Promise<number> {
  let changed = 0;
  for (const column of sealedColumns) {
    for (;;) {
      const rows = await listSealedOtherwise(db, column, ring.currentId, BATCH);
      for (const { row, sealed } of rows) {
        if (signal.aborted) return changed;
        await sealOne(db, ring, column, row, sealed);
        changed++;
      }
      if (rows.length < BATCH) break;
    }
  }
  return changed;
}

async function sealOne(db: Db, ring: KeyRing, column: SealedColumn, row: string, before: string): Promise<void> {
  const place = { table: column.table, row, column: column.column };
  await replaceSealed(db, column, { row, before, after: ring.seal(place, ring.open(place, before)) });
}
