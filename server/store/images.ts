/** Images and recipes: what may be started, and how far the building of it is. */
import { sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { ImageId, OperationId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { type Db, isUniqueViolation, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

export type ImageState = 'absent' | 'queued' | 'building' | 'ready' | 'failed';
export type ImageRecord = {
  id: ImageId;
  name: string;
  kind: InstanceKind;
  title: string;
  source: 'recipe' | 'file' | 'server';
  state: ImageState;
  fingerprint: string | null;
  /** Hash of the recipe as it is now, and as it was when this was built. */
  recipeHash: string | null;
  builtRecipeHash: string | null;
  sizeBytes: number | null;
  error: string | null;
  builtAt: Date | null;
  version: number;
};
export type ImageView = ImageRecord & {
  instances: number;
  operation: { id: OperationId; percent: number | null; message: string | null } | null;
};

type Row = {
  id: ImageId;
  name: string;
  kind: InstanceKind;
  title: string;
  source: 'recipe' | 'file' | 'server';
  state: ImageState;
  fingerprint: string | null;
  recipe_hash: string | null;
  built_recipe_hash: string | null;
  size_bytes: number | null;
  error: string | null;
  built_at: Date | null;
  version: number;
};

function rowToImage(row: Row): ImageRecord {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    title: row.title,
    source: row.source,
    state: row.state,
    fingerprint: row.fingerprint,
    recipeHash: row.recipe_hash,
    builtRecipeHash: row.built_recipe_hash,
    sizeBytes: row.size_bytes,
    error: row.error,
    builtAt: row.built_at,
    version: row.version,
  };
}

export async function findImage(db: Db, id: ImageId): Promise<ImageRecord | null> {
  const row = await db.selectFrom('image').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToImage(row);
}

export async function findImageByName(db: Db, name: string): Promise<ImageRecord | null> {
  const row = await db.selectFrom('image').selectAll().where('name', '=', name).executeTakeFirst();
  return row === undefined ? null : rowToImage(row);
}

/** The row, locked until the transaction ends: two builds of one image cannot be accepted at once. */
export async function lockImage(tx: Trx, id: ImageId): Promise<ImageRecord | null> {
  const row = await tx.selectFrom('image').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  return row === undefined ? null : rowToImage(row);
}

/** All images with who uses them and what is being done to them; recipes first, then by name. */
export async function listImages(db: Db): Promise<ImageView[]> {
  const rows = await db
    .selectFrom('image')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('operation')
          .leftJoin('operation_step', (join) =>
            join
              .onRef('operation_step.operation_id', '=', 'operation.id')
              .on('operation_step.state', 'in', ['running', 'pending']),
          )
          .select(['operation.id as operation_id', 'operation_step.percent', 'operation_step.message'])
          .whereRef('operation.image_id', '=', 'image.id')
          .where('operation.instance_id', 'is', null)
          .where('operation.state', 'in', ['pending', 'running'])
          .orderBy('operation.id', 'desc')
          .orderBy('operation_step.seq')
          .limit(1)
          .as('running'),
      (join) => join.onTrue(),
    )
    .selectAll('image')
    .select(['running.operation_id', 'running.percent', 'running.message'])
    .select((eb) =>
      eb
        .selectFrom('instance')
        .select(sql<number>`count(*)`.as('count'))
        .whereRef('instance.image_id', '=', 'image.id')
        .where('instance.phase', 'in', ['creating', 'ready', 'archived'])
        .as('instances'),
    )
    .orderBy(sql`source <> 'recipe'`)
    .orderBy('image.name', 'desc')
    .execute();
  return rows.map((row) => ({
    ...rowToImage(row),
    instances: row.instances ?? 0,
    operation: row.operation_id === null ? null : { id: row.operation_id, percent: row.percent, message: row.message },
  }));
}

/** Errors: name_taken. */
export async function insertImage(
  tx: Trx,
  image: Pick<ImageRecord, 'id' | 'name' | 'kind' | 'title' | 'source' | 'state'>,
): Promise<void> {
  try {
    await tx.insertInto('image').values(image).execute();
  } catch (error) {
    if (isUniqueViolation(error))
      throw new BerthError('name_taken', `There is an image called "${image.name}" already.`);
    throw error;
  }
  await imageHint(tx, image.id, 1);
}

/** A recipe that exists gets its row, or its row the recipe's present title and hash. */
export async function ensureRecipeImage(
  db: Db,
  id: ImageId,
  recipe: { name: string; kind: InstanceKind; title: string; recipeHash: string },
): Promise<void> {
  await transact(db, async (tx) => {
    const row = await tx
      .insertInto('image')
      .values({
        id,
        name: recipe.name,
        kind: recipe.kind,
        title: recipe.title,
        source: 'recipe',
        state: 'absent',
        recipe_hash: recipe.recipeHash,
      })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet((eb) => ({
            title: recipe.title,
            recipe_hash: recipe.recipeHash,
            version: eb('image.version', '+', 1),
          }))
          .where('image.source', '=', 'recipe')
          .where((eb) =>
            eb.or([
              eb('image.title', '<>', recipe.title),
              eb('image.recipe_hash', 'is distinct from', recipe.recipeHash),
            ]),
          ),
      )
      .returning(['id', 'version'])
      .executeTakeFirst();
    if (row !== undefined) await imageHint(tx, row.id, row.version);
  });
}

export type ImageChange = {
  state?: ImageState;
  fingerprint?: string | null;
  built_recipe_hash?: string | null;
  size_bytes?: number | null;
  error?: string | null;
  built_at?: Date | null;
};

export async function changeImage(tx: Trx, id: ImageId, change: ImageChange): Promise<void> {
  const row = await tx
    .updateTable('image')
    .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .returning('version')
    .executeTakeFirst();
  if (row !== undefined) await imageHint(tx, id, row.version);
}

export async function deleteImageRow(tx: Trx, id: ImageId): Promise<void> {
  await tx.deleteFrom('image').where('id', '=', id).execute();
  await imageHint(tx, id, 1);
}

/** Rows that hold on to the image, archived and failed instances included. */
export async function instancesOfImage(db: Db, id: ImageId): Promise<number> {
  const row = await db
    .selectFrom('instance')
    .select(sql<number>`count(*)`.as('count'))
    .where('image_id', '=', id)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Fingerprints that may be started: those of ready images, and those living instances were made from (for clones). */
export async function allowedFingerprints(db: Db): Promise<string[]> {
  const result = await sql<{ fingerprint: string }>`
    select fingerprint from image where fingerprint is not null and state <> 'absent'
    union select image_fingerprint from instance
     where image_fingerprint is not null and phase in ('creating', 'ready', 'archived')
    order by 1`.execute(db);
  return result.rows.map((row) => row.fingerprint);
}

async function imageHint(tx: Trx, id: ImageId, version: number): Promise<void> {
  await emit(tx, { kind: 'image', ref: id, version });
}
