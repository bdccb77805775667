/** The host key of the SSH gateway: made once, kept root-only, copied to the gateway alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownedFolder, writeFileAtomic } from './files.ts';
import type { Layout } from './layout.ts';
import { must } from './run.ts';

const FILE = 'ssh_host_ed25519_key';

/** Clients remember it: it is never overwritten. */
export async function ensureSshHostKey(layout: Layout): Promise<void> {
  ownedFolder(layout.sshGateway, 0o700);
  const file = join(layout.sshGateway, FILE);
  if (existsSync(file) && existsSync(`${file}.pub`)) return;
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'berth', '-f', file]);
}

/** `<type> <base64>` of the public half. */
export function sshHostKey(layout: Layout): string {
  const line = readFileSync(join(layout.sshGateway, `${FILE}.pub`), 'utf8');
  return line.trim().split(' ').slice(0, 2).join(' ');
}

/** Copies it to where only the gateway reads it. Returns the path. */
export function copyHostKeyFor(layout: Layout, user: { uid: number; gid: number }): string {
  const folder = join(layout.runSecrets, 'ssh-gateway');
  ownedFolder(folder, 0o500, user);
  const file = join(folder, FILE);
  const text = readFileSync(join(layout.sshGateway, FILE), 'utf8');
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text, 0o400, user);
  return file;
}
