/**
 * The host key of the SSH gateway: made once, kept root-only, copied to the gateway alone; the public halves where the
 * server tells people of them. It is changed in two steps: the next one is made and announced, then it takes the place of
 * the old one. The gateway sees both by itself: nobody's connection ends.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownedFolder, writeFileAtomic } from './files.ts';
import type { Layout } from './layout.ts';
import { must } from './run.ts';

const FILE = 'ssh_host_ed25519_key';
const NEXT = `${FILE}.next`;

const current = (layout: Layout) => join(layout.sshGateway, FILE);
const next = (layout: Layout) => join(layout.sshGateway, NEXT);
const copies = (layout: Layout) => join(layout.runSecrets, 'ssh-gateway');

async function make(file: string): Promise<void> {
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'berth', '-f', file]);
}

/** Clients remember it: it is never overwritten. Finishes a change that was interrupted. */
export async function ensureSshHostKey(layout: Layout): Promise<void> {
  ownedFolder(layout.sshGateway, 0o700);
  if (existsSync(`${next(layout)}.pub`) && !existsSync(next(layout))) {
    // It was made the current one: its public half follows.
    renameSync(`${next(layout)}.pub`, `${current(layout)}.pub`);
  }
  if (!existsSync(current(layout)) || !existsSync(`${current(layout)}.pub`)) await make(current(layout));
  publish(layout);
}

/** `<type> <base64>` of the public half; null when there is none. */
function publicHalf(file: string): string | null {
  if (!existsSync(`${file}.pub`)) return null;
  return readFileSync(`${file}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' ');
}

export function sshHostKeys(layout: Layout): { current: string | null; next: string | null } {
  return { current: publicHalf(current(layout)), next: publicHalf(next(layout)) };
}

/** What people may check, for the server. */
function publish(layout: Layout): void {
  const { current: now, next: later } = sshHostKeys(layout);
  const text = [now, later].flatMap((key) => (key === null ? [] : [`${key}\n`])).join('');
  const file = layout.sshHostKeys;
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text, 0o644);
}

/** Copies them to where only the gateway reads them. */
export function copyHostKeysFor(
  layout: Layout,
  user: { uid: number; gid: number },
): { hostKeyFiles: string[]; nextHostKeyFile: string } {
  const folder = copies(layout);
  ownedFolder(folder, 0o500, user);
  copy(current(layout), join(folder, FILE), user);
  if (existsSync(next(layout))) copy(next(layout), join(folder, NEXT), user);
  else rmSync(join(folder, NEXT), { force: true });
  return { hostKeyFiles: [join(folder, FILE)], nextHostKeyFile: join(folder, NEXT) };
}

function copy(from: string, to: string, user: { uid: number; gid: number }): void {
  const text = readFileSync(from, 'utf8');
  if (!existsSync(to) || readFileSync(to, 'utf8') !== text) writeFileAtomic(to, text, 0o400, user);
}

/** Makes the next key and has it announced. False: there is one already. */
export async function makeNextHostKey(layout: Layout, user: { uid: number; gid: number }): Promise<boolean> {
  if (existsSync(next(layout))) return false;
  rmSync(`${next(layout)}.pub`, { force: true });
  await make(next(layout));
  publish(layout);
  copyHostKeysFor(layout, user);
  return true;
}

/** The next key takes the place of the current one, which is gone. False: there is no next one. */
export function switchHostKey(layout: Layout, user: { uid: number; gid: number }): boolean {
  if (!existsSync(next(layout))) return false;
  renameSync(next(layout), current(layout));
  renameSync(`${next(layout)}.pub`, `${current(layout)}.pub`);
  publish(layout);
  copyHostKeysFor(layout, user);
  return true;
}

/** The next key is given up. False: there is none. */
export function dropNextHostKey(layout: Layout, user: { uid: number; gid: number }): boolean {
  if (!existsSync(next(layout))) return false;
  rmSync(next(layout));
  rmSync(`${next(layout)}.pub`, { force: true });
  publish(layout);
  copyHostKeysFor(layout, user);
  return true;
}
