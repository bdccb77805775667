/** Endpoints of recordings of SSH sessions. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import * as recordings from '#server/app/ssh-recordings.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';
import { presentAccess } from './ssh-sessions.ts';

function present(recording: Awaited<ReturnType<typeof recordings.listSshRecordings>>['items'][number]) {
  const { id, user, session, address, milliseconds, bytes, sha256, endReason } = recording;
  return {
    ...{ id, user, session, address, milliseconds, sha256, endReason },
    sizeBytes: bytes,
    startedAt: iso(recording.startedAt),
    endedAt: isoOrNull(recording.endedAt),
  };
}

export function registerSshRecordings(http: Http, app: AppContext): void {
  http.register(api.sshRecordingPolicyGet, ({ caller, params }) =>
    recordings.readRecordingPolicy(app, caller, params.organization),
  );
  http.register(api.sshRecordingPolicySet, ({ caller, params, body }) =>
    recordings.setRecordingPolicy(app, caller, params.organization, body),
  );
  http.register(api.sshRecordingSet, async ({ caller, params, body }) =>
    presentAccess(await recordings.setInstanceRecording(app, caller, params.instance, body.enabled)),
  );
  http.register(api.sshRecordingsList, async ({ caller, params, query }) => {
    const page = await recordings.listSshRecordings(app, caller, params.instance, query);
    return { ...page, items: page.items.map(present) };
  });
  http.registerStream(api.sshRecordingsRead, async ({ caller, params }, { reply }) => {
    const { name, bytes, content } = await recordings.readSshRecording(app, caller, params.instance, params.recording);
    await reply
      .type('application/octet-stream')
      .header('cache-control', 'no-store')
      .header('content-length', String(bytes))
      .header('content-disposition', `attachment; filename="${name}"`)
      .send(content);
  });
  http.register(api.sshRecordingsDelete, async ({ caller, params }) => {
    await recordings.deleteSshRecording(app, caller, params.instance, params.recording);
    return undefined;
  });
}
