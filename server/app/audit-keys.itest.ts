import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { AuditHeader, AuditLine, AuditPublicKey } from '#domain/audit.ts';
import { canonicalJson } from '#domain/canonical-json.ts';
import { type AuditSigner, auditSigner, makeAuditKey, publicAuditKey } from '#server/runtime/audit-keys.ts';
import { keepHead } from '#server/workflows/audit-proof.ts';
import { exportAuditText, verifyAuditText } from '#testkit/audit.ts';
import { plainBox } from '#testkit/audit-sample.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let database: Awaited<ReturnType<typeof withDatabase>>;
let server: TestServer;
let home: SetUp;
const dir = mkdtempSync(join(tmpdir(), 'berth-audit-keys-'));

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, startWork: idleWork });
  home = await server.setUp();
});
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await server.stop();
});

const parts = () => ({
  db: server.app.db,
  secrets: server.app.secrets,
  log: server.app.log,
  now: () => new Date(),
});
const head = async () => {
  const made = await keepHead(parts(), home.organization);
  if (made === null) throw new Error('no head');
  return made;
};
const signingKey = async () => {
  const { audit } = await home.owner.call(api.keysList);
  const signing = audit.filter((key) => key.state === 'signing');
  expect(signing).toHaveLength(1);
  return signing[0]?.id ?? '';
};
const rotate = (leaked = false) => home.owner.call(api.keysRotateAudit, { body: { leaked } });
const headerOf = (text: string): AuditHeader => JSON.parse(text.split('\n')[0] ?? '');

/** The command of people who check exports, in a process of its own, with no server anywhere. */
function berth(...args: string[]): { code: number | null; out: string } {
  const ran = spawnSync(process.execPath, ['cli/main.ts', ...args], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CONFIG_HOME: dir, BERTH_URL: 'https://192.0.2.1:1' },
  });
  return { code: ran.status, out: ran.stdout + ran.stderr };
}
function write(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

describe('I6: another key for the audit log', () => {
  it('I6: what the old key signed verifies, an export spans both, and the old thumbprint is still enough', async () => {
    const early = await head();
    const old = await signingKey();
    expect(early.key).toBe(old);
    const before = await exportAuditText(home.owner, home.organization);
    const after = await rotate();
    expect(after.audit.map((key) => key.state)).toEqual(['retired', 'signing']);
    const now = await signingKey();
    expect(now).not.toBe(old);
    expect(after.audit.at(-1)?.follows).toBe(old);
    const text = await exportAuditText(home.owner, home.organization);
    const heads = headerOf(text).heads.map((each) => each.key);
    expect(new Set(heads)).toEqual(new Set([old, now]));
    for (const trusted of [null, [old], [now]]) {
      const report = verifyAuditText(text, { trusted, kept: [early] });
      expect(report).toMatchObject({ key: now, keys: [old, now] });
      expect(report.headsChecked).toBeGreaterThan(1);
    }
    // And with nothing but files: the export, a head and the keys as they were noted before the change.
    const file = write('spans.jsonl', text);
    const kept = write('head.json', JSON.stringify(early));
    for (const key of [old, now, write('keys.json', JSON.stringify({ keys: headerOf(before).keys }))]) {
      const ran = berth('audit', 'verify', file, '--head', kept, '--key', key);
      expect(ran, ran.out).toMatchObject({ code: 0, out: expect.stringContaining(`Key: ${now}`) });
    }
    // Of before: verified with what was noted then, not with the new key, which had signed nothing.
    expect(verifyAuditText(before, { trusted: [old] }).key).toBe(old);
    expect(() => verifyAuditText(before, { trusted: [now] })).toThrow('not the one you named');
  });

  it('I6: three rotations later the first thumbprint still leads to the key that signs', async () => {
    const first = headerOf(await exportAuditText(home.owner, home.organization)).keys[0]?.kid ?? '';
    await rotate();
    await head();
    await rotate();
    const text = await exportAuditText(home.owner, home.organization);
    expect(headerOf(text).successions).toHaveLength(3);
    expect(verifyAuditText(text, { trusted: [first] }).key).toBe(await signingKey());
  });

  it('I6: the private half of the old key is gone at once, and who rotated is in the log of the installation', async () => {
    const rows = await server.app.db.selectFrom('audit_key').select(['private_sealed', 'retired_at']).execute();
    for (const row of rows) expect(row.private_sealed === null).toBe(row.retired_at !== null);
    const log = await home.owner.call(api.platformAuditList, { query: { action: 'platform.keys.rotate-audit' } });
    expect(log.items[0]).toMatchObject({ actor: 'owner@example.test', after: { signing: await signingKey() } });
  });

  it('I6: of ten at the same time each rotates after another or is refused; one key signs, and all replicas agree', async () => {
    const other = await startTestServer({ database, startWork: idleWork });
    const tries = await Promise.all(
      Array.from({ length: 10 }, () => home.owner.try(api.keysRotateAudit, { body: {} })),
    );
    expect(new Set(tries.map((each) => each.statusCode))).toEqual(new Set([200, 409]));
    const text = await exportAuditText(home.owner, home.organization);
    const { keys, successions } = headerOf(text);
    // Each names the one after it: no fork.
    expect(successions.map(({ key }) => key)).toEqual(keys.slice(0, -1).map(({ kid }) => kid));
    expect(successions.map(({ next }) => next)).toEqual(keys.slice(1).map(({ kid }) => kid));
    const made = await keepHead({ ...parts(), db: other.app.db, secrets: other.app.secrets }, home.organization);
    expect([made?.key]).toEqual([await signingKey()]);
    await other.stop();
  });

  it('I6: needs a fresh confirmation and an administrator of the installation', async () => {
    const stranger = await home.owner.addStranger();
    expect((await stranger.owner.try(api.keysRotateAudit, { body: {} })).statusCode).toBe(404);
    expect((await server.anonymous.try(api.keysRotateAudit, { body: {} })).statusCode).toBe(401);
    expect((await home.owner.try(api.keysRotateAudit, { body: { leaked: 'no' as never } })).statusCode).toBe(400);
  });
});

describe('I6: a forged set of keys in an export', () => {
  /** A whole log of somebody's own making, with keys of theirs and whatever they took from a true export. */
  async function forge(
    change: (header: AuditHeader, forger: AuditSigner, its: AuditPublicKey) => Partial<AuditHeader>,
  ) {
    const text = await exportAuditText(home.owner, home.organization);
    const lines = text.trimEnd().split('\n');
    const key = makeAuditKey(plainBox);
    const forger = auditSigner(plainBox, key);
    const { key: _, signature: __, ...header } = headerOf(text);
    const last = JSON.parse(lines.at(-1) ?? '') as AuditLine;
    const forgedHead = forger.sign('head', {
      at: header.exportedAt,
      chain: header.chain,
      link: last.link,
      position: last.position,
    });
    const forged = forger.sign('header', {
      ...header,
      heads: [forgedHead],
      keys: [...header.keys, publicAuditKey(key)],
      ...change(headerOf(text), forger, publicAuditKey(key)),
    });
    return { text: [canonicalJson(forged), ...lines.slice(1), ''].join('\n'), kid: key.id };
  }

  it('I6: does not pass for one who names a key, however the forger dresses it up', async () => {
    const pinned = await signingKey();
    const first = headerOf(await exportAuditText(home.owner, home.organization)).keys[0]?.kid ?? '';
    const forgeries = {
      'own key beside the true ones': await forge(() => ({})),
      'own key alone': await forge((_header, _forger, its) => ({ keys: [its], successions: [] })),
      'a succession signed by the forger for the true key': await forge((header, forger) => ({
        successions: [
          ...header.successions,
          { ...forger.sign('succession', { at: header.exportedAt, next: forger.key }), key: pinned },
        ],
      })),
      'a true succession pointed at the forger': await forge((header, forger) => ({
        successions: header.successions.map((each) => ({ ...each, next: forger.key })),
      })),
      'a true head passed off as a succession': await forge((header, forger) => ({
        successions: [
          { at: header.exportedAt, key: pinned, next: forger.key, signature: header.heads.at(-1)?.signature ?? '' },
        ],
      })),
    };
    for (const [what, { text }] of Object.entries(forgeries)) {
      for (const trusted of [[pinned], [first], [first, pinned]]) {
        expect(() => verifyAuditText(text, { trusted }), what).toThrow();
      }
      const ran = berth('audit', 'verify', write('forged.jsonl', text), '--key', pinned);
      expect(ran.code, what).toBe(1);
    }
  });

  it('I6: passes for one who names no key, which is why the command shows the key and says to compare it', async () => {
    const { text, kid } = await forge(() => ({}));
    const ran = berth('audit', 'verify', write('believed.jsonl', text));
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining(`Key: ${kid}`) });
    expect(ran.out).toContain('Compare the key with one you noted before');
  });

  it('I6: a name that is not the thumbprint of its key is refused', async () => {
    const pinned = await signingKey();
    const { text } = await forge((header, forger) => ({
      keys: header.keys.map((key) => (key.kid === pinned ? { ...key, x: 'AAAA' } : key)),
      successions: [],
      exportedAt: forger.key,
    }));
    expect(() => verifyAuditText(text)).toThrow('thumbprint');
  });

  it('I6: after a leak the old key names nobody: its thumbprint is no longer enough, the new one has to be noted', async () => {
    const old = await signingKey();
    const early = await head();
    await rotate(true);
    const now = await signingKey();
    const text = await exportAuditText(home.owner, home.organization);
    expect(() => verifyAuditText(text, { trusted: [old] })).toThrow('did not follow it');
    expect(verifyAuditText(text, { trusted: [now], kept: [early] }).key).toBe(now);
    expect(berth('audit', 'verify', write('leak.jsonl', text), '--key', old).code).toBe(1);
  });
});
