/** Endpoints of an instance's files. */
import type { FastifyReply } from 'fastify';
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { downloadArchive, packFiles, unpackFiles } from '#server/app/file-archives.ts';
import { listFiles, makeFolder, moveFile, readFile, removeFile, setFileMode, writePart } from '#server/app/files.ts';
import type { Http } from './server.ts';

export function registerFiles(http: Http, app: AppContext): void {
  http.register(api.filesList, async ({ caller, params, query }) =>
    listFiles(app, caller, params.instance, query.path),
  );
  http.registerStream(api.filesRead, async ({ caller, params, query }, { reply }) => {
    const { entry, content } = await readFile(app, caller, params.instance, query.path);
    await asFile(reply, entry.name)
      .header('x-berth-file-version', entry.version)
      .header('x-berth-file-size', String(entry.sizeBytes))
      .send(content);
  });
  http.registerStream(api.filesArchive, async ({ caller, params, query }, { reply }) => {
    const { name, content } = await downloadArchive(app, caller, params.instance, {
      folder: query.folder,
      names: query.names.split('/'),
    });
    await asFile(reply, name).send(content);
  });
  http.register(api.filesPack, async ({ caller, params, body, idempotencyKey }) =>
    packFiles(app, { caller, instance: params.instance, idempotencyKey }, body),
  );
  http.register(api.filesUnpack, async ({ caller, params, body, idempotencyKey }) =>
    unpackFiles(app, { caller, instance: params.instance, idempotencyKey }, body),
  );
  http.register(api.filesWrite, async ({ caller, params, query, body }) =>
    writePart(app, caller, params.instance, {
      ...query,
      last: query.last === 'true',
      replace: query.replace === 'true',
      version: query.version,
      content: body,
    }),
  );
  http.register(api.filesMakeFolder, async ({ caller, params, body }) =>
    makeFolder(app, caller, params.instance, body.path),
  );
  http.register(api.filesMove, async ({ caller, params, body }) => moveFile(app, caller, params.instance, body));
  http.register(api.filesSetMode, async ({ caller, params, body }) => setFileMode(app, caller, params.instance, body));
  http.register(api.filesRemove, async ({ caller, params, query }) =>
    removeFile(app, caller, params.instance, { path: query.path, recursive: query.recursive === 'true' }),
  );
}

/** Never shown by the browser itself: what a guest holds must not run as a page of the console. */
function asFile(reply: FastifyReply, name: string): FastifyReply {
  return reply
    .type('application/octet-stream')
    .header('cache-control', 'no-store')
    .header('content-disposition', `attachment; filename*=UTF-8''${encodeRfc8187(name)}`);
}

/** What encodeURIComponent leaves and a header's parameter may not hold. */
function encodeRfc8187(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*!]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
