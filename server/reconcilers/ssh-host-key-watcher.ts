/** Notices that the SSH gateway proves itself with other keys, which is done on the host, and writes it down. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { record } from '../store/audit.ts';
import { asSystem, authorizeRef } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { readSetting, writeSetting } from '../store/settings.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 30_000;

/** As people see them. */
function fingerprints(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const key = line.trim().split(' ')[1];
    if (key === undefined) return [];
    const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64');
    return [`SHA256:${digest.replace(/=+$/, '')}`];
  });
}

/** `file`: public keys, one a line; null: this installation runs no gateway. */
export function sshHostKeyWatcher(services: Services, file: string | null): Reconciler {
  const actor = asSystem('ssh-host-key-watcher');
  return {
    name: 'ssh-host-key-watcher',
    everyMs: EVERY_MS,
    async run() {
      const text = file === null ? null : await readFile(file, 'utf8').catch(() => null);
      if (text === null) return null;
      const after = fingerprints(text);
      const known = await readSetting(services.db, 'ssh.host-keys');
      const before = Array.isArray(known) ? known.map(String) : null;
      if (after.length === 0 || JSON.stringify(before) === JSON.stringify(after)) return null;
      const proof = await authorizeRef(services.db, actor, 'platform.settings.update', { kind: 'platform' });
      await transact(services.db, async (trx) => {
        await writeSetting(trx, proof, 'ssh.host-keys', after);
        await record(trx, actor, {
          action: 'platform.ssh-host-keys',
          targetKind: 'setting',
          targetId: null,
          target: 'SSH gateway',
          ...(before === null ? {} : { before: { fingerprints: before } }),
          after: { fingerprints: after },
        });
      });
      return `the SSH gateway has ${before === null ? 'its' : 'other'} host keys: ${after.join(', ')}`;
    },
  };
}
