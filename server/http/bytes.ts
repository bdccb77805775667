/** Routes that take a part of a file (`consumes: 'bytes'`): nothing is parsed, and more fits in than into JSON. */
import type { FastifyInstance } from 'fastify';
import { FILE_PART_BYTES_MAX } from '#domain/files.ts';

export const BYTES_TYPE = 'application/octet-stream';

/** Makes a scope of `server` in which `add` registers its route; no other route takes such a body. */
export function withBytes(server: FastifyInstance, add: (scope: FastifyInstance) => void): void {
  server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    const how = { parseAs: 'buffer', bodyLimit: FILE_PART_BYTES_MAX } as const;
    scope.addContentTypeParser(BYTES_TYPE, how, (_request, body, parsed) => parsed(null, body));
    add(scope);
    done();
  });
}
