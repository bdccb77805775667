/** The folder of recordings of SSH sessions. */
import { groupId, processUser } from './accounts.ts';
import { ownedFolder } from './files.ts';
import type { Layout } from './layout.ts';

/**
 * The server's folder, in which the SSH gateway may make files and which it cannot list. Nobody else gets in, so files
 * that all may read are the server's to read.
 */
export function recordingFolder(layout: Layout): string {
  ownedFolder(layout.sshRecordings, 0o730, { uid: processUser('berth-server').uid, gid: groupId('berth-ssh') ?? 0 });
  return layout.sshRecordings;
}
