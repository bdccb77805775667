/** Files of an instance, as its own root sees them. */
import { z } from 'zod';
import { ARCHIVE_NAMES_BYTES_MAX, ARCHIVE_NAMES_MAX, archiveNamesProblem } from '#domain/file-archives.ts';
import { FILE_BYTES_MAX, FILE_MODE_MAX, FILE_PATH_BYTES_MAX, filePathProblem, fileTypes } from '#domain/files.ts';
import { API_PREFIX, idSchema, timestamp } from './common.ts';
import { acceptedSchema } from './instances.ts';
import { defineRoute } from './route.ts';

export const filePathSchema = z
  .string()
  .max(FILE_PATH_BYTES_MAX)
  .superRefine((path, context) => {
    const problem = filePathProblem(path);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ description: 'Absolute, without empty parts, `.` and `..`', example: '/home/berth' });

/** Entries of one folder, by name. */
export const archiveNamesSchema = z
  .array(z.string().max(ARCHIVE_NAMES_BYTES_MAX))
  .max(ARCHIVE_NAMES_MAX)
  .superRefine((names, context) => {
    const problem = archiveNamesProblem(names);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

/** In an address names stand behind one another: a slash is the one thing that none has in it. */
const namesInQuery = z
  .string()
  .max(ARCHIVE_NAMES_BYTES_MAX)
  .superRefine((text, context) => {
    const problem = archiveNamesProblem(text.split('/'));
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ description: 'Names of entries of the folder, with `/` between them', example: 'site/notes.txt' });

export const fileSchema = z.object({
  name: z.string(),
  /** Of the entry itself: a link is a link. */
  type: z.enum(fileTypes),
  sizeBytes: z.number().int(),
  /** Permission bits as a number: 420 is 0644. */
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  modifiedAt: timestamp,
  /** Where a link leads; null for everything else. */
  target: z.string().nullable(),
  /** What a link leads to in the end; null for what is no link, and for one that leads nowhere. */
  leadsTo: z.object({ type: z.enum(fileTypes), sizeBytes: z.number().int() }).nullable(),
  /** Changes with every change; to be sent along when the file is written again. */
  version: z.string(),
});
export type FileItem = z.output<typeof fileSchema>;

const params = z.object({ instance: idSchema('ins') });
const atPath = z.object({ path: filePathSchema });
const mode = z.number().int().min(0).max(FILE_MODE_MAX);
const flag = z.enum(['true', 'false']).default('false');
const ability = z.union([z.literal(true), z.string()]);
const tag = 'files';
const base = `${API_PREFIX}/instances/:instance/files`;
const common = { tag, rateClass: 'api', params } as const;

export const fileRoutes = {
  filesList: defineRoute({
    ...common,
    id: 'files.list',
    method: 'GET',
    path: base,
    access: 'file.open',
    status: 200,
    summary: 'What is in a folder',
    query: z.object({ path: filePathSchema.default('/') }),
    response: z.object({
      path: z.string(),
      items: z.array(fileSchema),
      /** False: there is more in the folder than is listed. */
      complete: z.boolean(),
      can: z.object({ write: ability, pack: ability }),
    }),
  }),
  filesRead: defineRoute({
    ...common,
    id: 'files.read',
    method: 'GET',
    path: `${base}/content`,
    access: 'file.open',
    status: 200,
    summary: 'Download a file',
    description: 'The header `x-berth-file-version` is the `version` to send along when the file is written again.',
    query: atPath,
    response: z.string(),
    produces: 'bytes',
  }),
  filesArchive: defineRoute({
    ...common,
    id: 'files.archive',
    method: 'GET',
    path: `${base}/archive`,
    access: 'file.open',
    status: 200,
    summary: 'Download a folder, or several entries of one, as a .tar.gz',
    description:
      'Made while it is read. Links stay links and are never followed; sockets, pipes and devices are left out. An answer ' +
      'that breaks off is no archive: there is more in it than one holds, or something could not be read.',
    query: z.object({ folder: filePathSchema, names: namesInQuery }),
    response: z.string(),
    produces: 'bytes',
  }),
  filesPack: defineRoute({
    ...common,
    id: 'files.pack',
    method: 'POST',
    path: `${base}/pack`,
    access: 'file.write',
    status: 202,
    summary: 'Pack entries of a folder into a .tar.gz inside the instance',
    description: 'Done inside, as the owner of the folder the archive goes to. Nothing that is there is replaced.',
    body: z.strictObject({ folder: filePathSchema, names: archiveNamesSchema, to: filePathSchema }),
    response: acceptedSchema,
  }),
  filesUnpack: defineRoute({
    ...common,
    id: 'files.unpack',
    method: 'POST',
    path: `${base}/unpack`,
    access: 'file.write',
    status: 202,
    summary: 'Unpack a .tar, .tar.gz, .tar.xz or .zip into a folder of the instance',
    description:
      'Done inside, as the owner of the folder, which is made when it is not there. What is there already is refused ' +
      'by name before anything is put there; with `replace` files take the place of files, folders never do.',
    body: z.strictObject({ path: filePathSchema, to: filePathSchema, replace: z.boolean().default(false) }),
    response: acceptedSchema,
  }),
  filesWrite: defineRoute({
    ...common,
    id: 'files.write',
    method: 'PUT',
    path: `${base}/content`,
    access: 'file.write',
    status: 200,
    summary: 'Upload a file, whole or in parts',
    description:
      'A part has at most 16 MiB. The parts of one file have the same `upload`, come in order, and the last one has ' +
      '`last=true`: only then is the file there under its name, all at once. Interrupted, go on with the part that was ' +
      'not answered. The answer is the file, or null before the last part.',
    query: z.object({
      path: filePathSchema,
      upload: z
        .string()
        .regex(/^[a-z0-9]{8,32}$/, '8 to 32 lower-case letters and digits')
        .meta({ description: 'A random name for this upload' }),
      offset: z.coerce.number().int().min(0).max(FILE_BYTES_MAX).default(0),
      last: flag,
      replace: flag.meta({ description: 'Takes the place of a file that is there' }),
      version: z
        .string()
        .max(60)
        .optional()
        .meta({ description: 'Only when the file that is there is still this one' }),
    }),
    body: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
    consumes: 'bytes',
    response: fileSchema.nullable(),
  }),
  filesMakeFolder: defineRoute({
    ...common,
    id: 'files.make_folder',
    method: 'POST',
    path: `${base}/folders`,
    access: 'file.write',
    status: 201,
    summary: 'Make a folder',
    body: z.strictObject({ path: filePathSchema }),
    response: fileSchema,
  }),
  filesMove: defineRoute({
    ...common,
    id: 'files.move',
    method: 'POST',
    path: `${base}/move`,
    access: 'file.write',
    status: 200,
    summary: 'Rename or move a file or folder',
    body: z.strictObject({ from: filePathSchema, to: filePathSchema, replace: z.boolean().default(false) }),
    response: fileSchema,
  }),
  filesSetMode: defineRoute({
    ...common,
    id: 'files.set_mode',
    method: 'POST',
    path: `${base}/mode`,
    access: 'file.write',
    status: 200,
    summary: 'Change the permission bits',
    body: z.strictObject({ path: filePathSchema, mode }),
    response: fileSchema,
  }),
  filesRemove: defineRoute({
    ...common,
    id: 'files.remove',
    method: 'DELETE',
    path: base,
    access: 'file.write',
    status: 200,
    summary: 'Remove a file, or a folder with everything in it',
    query: z.object({ path: filePathSchema, recursive: flag }),
    response: z.object({ removed: z.number().int() }),
  }),
} as const;
