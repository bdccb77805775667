/** Backups of instances: encrypted copies of their disks, outside of the engine. */
import { z } from 'zod';
import { BACKUP_NOTE_LENGTH_MAX, backupStates, repositoryStates } from '#domain/backups.ts';
import { instanceKinds } from '#domain/instances.ts';
import { NAME_LENGTH_MAX } from '#domain/names.ts';
import { API_PREFIX, abilitySchema, idSchema, nameSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { acceptedSchema, sizeSchema } from './instances.ts';
import { defineRoute } from './route.ts';

const bytes = z.number().int().min(0);

export const backupSchema = z.object({
  id: idSchema('cpy'),
  project: idSchema('prj'),
  /** Null when the instance is gone; its backups stay. */
  instance: idSchema('ins').nullable(),
  /** What the instance is called, or was. */
  instanceName: z.string(),
  kind: z.enum(instanceKinds),
  state: z.enum(backupStates),
  note: z.string(),
  /** What a new instance made of it gets. */
  size: sizeSchema,
  /** What it holds; null until it is made. */
  dataBytes: bytes.nullable(),
  files: z.number().int().min(0).nullable(),
  /** What it added to what was kept before it. */
  addedBytes: bytes.nullable(),
  createdAt: timestamp,
  createdBy: z.string(),
  finishedAt: timestamp.nullable(),
  /** Where it is kept, with all other backups of its instance. */
  repository: z.object({
    id: idSchema('vlt'),
    storedBytes: bytes,
    state: z.enum(repositoryStates),
    /** What is wrong with it; null when nothing is known to be. */
    problem: z.string().nullable(),
    checkedAt: timestamp.nullable(),
  }),
  /** Title of the operation that works on these backups now. */
  busyWith: z.string().nullable(),
  can: z.object({
    restore: abilitySchema,
    recover: abilitySchema,
    verify: abilitySchema,
    delete: abilitySchema,
  }),
});
export type Backup = z.output<typeof backupSchema>;

const tag = 'backups';
const backupParams = z.object({ backup: idSchema('cpy') });

export const backupRoutes = {
  backupsListProject: defineRoute({
    id: 'backups.listProject',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/backups`,
    tag,
    access: 'backup.read',
    rateClass: 'api',
    status: 200,
    summary: 'Backups of a project, those of instances that are gone included',
    params: z.object({ project: idSchema('prj') }),
    query: z.object(pageQuery),
    response: pageOf(backupSchema),
  }),
  backupsList: defineRoute({
    id: 'backups.list',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/backups`,
    tag,
    access: 'backup.read',
    rateClass: 'api',
    status: 200,
    summary: 'Backups of an instance',
    params: z.object({ instance: idSchema('ins') }),
    response: z.object({ items: z.array(backupSchema) }),
  }),
  backupsCreate: defineRoute({
    id: 'backups.create',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/backups`,
    tag,
    access: 'backup.create',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Back an instance up',
    description: 'It may run or be stopped. Only what changed since the last backup is stored.',
    params: z.object({ instance: idSchema('ins') }),
    body: z.strictObject({ note: z.string().trim().max(BACKUP_NOTE_LENGTH_MAX).default('') }),
    response: acceptedSchema,
  }),
  backupsGet: defineRoute({
    id: 'backups.get',
    method: 'GET',
    path: `${API_PREFIX}/backups/:backup`,
    tag,
    access: 'backup.read',
    rateClass: 'api',
    status: 200,
    summary: 'One backup',
    params: backupParams,
    response: backupSchema,
  }),
  backupsRestore: defineRoute({
    id: 'backups.restore',
    method: 'POST',
    path: `${API_PREFIX}/backups/:backup/restore`,
    tag,
    access: 'backup.restore',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Put a backup in place of what is on the disk of its instance',
    description: 'A snapshot of how it is now is taken first. It restarts when it runs.',
    params: backupParams,
    body: z.strictObject({ confirmName: z.string().max(NAME_LENGTH_MAX) }),
    response: acceptedSchema,
  }),
  backupsRecover: defineRoute({
    id: 'backups.recover',
    method: 'POST',
    path: `${API_PREFIX}/backups/:backup/recover`,
    tag,
    access: 'backup.restore',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Restore a backup as a new instance',
    params: backupParams,
    body: z.strictObject({ name: nameSchema }),
    response: acceptedSchema,
  }),
  backupsVerify: defineRoute({
    id: 'backups.verify',
    method: 'POST',
    path: `${API_PREFIX}/backups/:backup/verify`,
    tag,
    access: 'backup.create',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Read everything that is kept with this backup and check it',
    params: backupParams,
    response: acceptedSchema,
  }),
  backupsDelete: defineRoute({
    id: 'backups.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/backups/:backup`,
    tag,
    access: 'backup.delete',
    rateClass: 'api',
    status: 202,
    summary: 'Delete a backup for good',
    params: backupParams,
    response: acceptedSchema,
  }),
} as const;
