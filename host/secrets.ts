/** Secrets of an installation: made once, kept root-only, copied to exactly the processes that need each. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setupCodeDigestInput } from '#contract/config.ts';
import { ownedFolder, writeFileAtomic } from './files.ts';
import type { Layout } from './layout.ts';

export const secretNames = ['master.key', 'edge.key', 'agent-token-server', 'agent-token-edge'] as const;
export type SecretName = (typeof secretNames)[number];

/** Without letters that are mistaken for one another. */
const CODE_LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const CODE_GROUPS = 4;
const CODE_GROUP_LENGTH = 4;

/** Makes what is missing. Never overwrites: a lost master key would lose every sealed secret. */
export function ensureSecrets(layout: Layout): void {
  ownedFolder(layout.secrets, 0o700);
  ownedFolder(layout.runSecrets, 0o711);
  for (const name of secretNames) {
    const file = join(layout.secrets, name);
    if (existsSync(file)) continue;
    const bytes = randomBytes(32);
    writeFileAtomic(file, `${bytes.toString(name.endsWith('.key') ? 'base64' : 'base64url')}\n`, 0o400);
  }
  if (!existsSync(layout.setupCode)) writeFileAtomic(layout.setupCode, `${makeSetupCode()}\n`, 0o400);
}

/** 80 bits, in groups that are easy to read aloud: 'K7QP-...'. */
export function makeSetupCode(): string {
  const groups: string[] = [];
  for (let g = 0; g < CODE_GROUPS; g++) {
    let group = '';
    for (let i = 0; i < CODE_GROUP_LENGTH; i++) group += CODE_LETTERS.charAt(randomInt(CODE_LETTERS.length));
    groups.push(group);
  }
  return groups.join('-');
}

export function readSecret(layout: Layout, name: SecretName): string {
  return readFileSync(join(layout.secrets, name), 'utf8').trim();
}

export function readSetupCode(layout: Layout): string {
  return readFileSync(layout.setupCode, 'utf8').trim();
}

/** What the server compares with: it never sees the code itself before somebody types it. */
export function setupCodeHash(layout: Layout): string {
  return createHash('sha256')
    .update(setupCodeDigestInput(readSetupCode(layout)))
    .digest('hex');
}

/** Copies a secret into the folder of one process, readable by its user alone. Returns the path. */
export function copySecretFor(
  layout: Layout,
  process_: string,
  name: SecretName,
  user: { uid: number; gid: number },
): string {
  const folder = join(layout.runSecrets, process_);
  ownedFolder(folder, 0o500, user);
  const file = join(folder, name);
  const text = `${readSecret(layout, name)}\n`;
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text, 0o400, user);
  return file;
}
