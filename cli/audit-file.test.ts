import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { AuditProblem } from '#domain/audit-verify.ts';
import { makeAuditKey, publicAuditKey } from '#server/runtime/audit-keys.ts';
import { plainBox, SAMPLE_LAST, sampleExport, sampleHead, sampleKey } from '#testkit/audit-sample.ts';
import { verifyAudit } from './audit-file.ts';
import { runCli } from './testing.ts';

const dir = mkdtempSync(join(tmpdir(), 'berth-audit-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const write = (name: string, content: string | Buffer): string => {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
};
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const good = Buffer.from(sampleExport());

describe('I6: berth audit verify', () => {
  it('says that nothing was changed, without a server and without being signed in', async () => {
    const ran = await runCli(['audit', 'verify', write('good.jsonl', good)]);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain(`Nothing was changed: ${SAMPLE_LAST} entries`);
    expect(ran.out).toContain(sampleKey.id);
    const json = await runCli(['audit', 'verify', '--json', '-'], { stdin: good.toString() });
    expect(JSON.parse(json.out)).toMatchObject({ entries: SAMPLE_LAST, keys: [sampleKey.id] });
  });

  it('names file and line of the first thing that is wrong and exits with 1', async () => {
    const file = write('edited.jsonl', good.toString().replace('"target":"web-7"', '"target":"web-x"'));
    const ran = await runCli(['audit', 'verify', file]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`${file}, line 8: Entry 7 was changed`);
    expect((await runCli(['audit', 'verify', join(dir, 'none.jsonl')])).code).toBe(2);
  });

  it('compares with a head kept elsewhere and with the key one expects', async () => {
    const file = write('short.jsonl', sampleExport({ to: 9 }));
    expect((await runCli(['audit', 'verify', file])).code).toBe(0);
    const head = write('head.json', `${JSON.stringify(sampleHead(SAMPLE_LAST))}\n`);
    const cut = await runCli(['audit', 'verify', file, '--head', head]);
    expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('The end is missing')]);
    expect((await runCli(['audit', 'verify', file, '--key', sampleKey.id])).code).toBe(0);
    const keys = write('keys.json', JSON.stringify({ keys: [publicAuditKey(sampleKey)] }));
    expect((await runCli(['audit', 'verify', file, '--key', keys])).code).toBe(0);
    const others = write('others.json', JSON.stringify({ keys: [publicAuditKey(makeAuditKey(plainBox))] }));
    // Its name says one thing, the key another: the thumbprint is computed, not read.
    const dressed = write(
      'dressed.json',
      JSON.stringify({ keys: [{ ...publicAuditKey(makeAuditKey(plainBox)), kid: sampleKey.id }] }),
    );
    for (const key of [others, dressed, 'x'.repeat(43)]) {
      const ran = await runCli(['audit', 'verify', file, '--key', key]);
      expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('not the one you named')]);
    }
    for (const key of ['another', head, file]) {
      expect((await runCli(['audit', 'verify', file, '--key', key])).code, key).toBe(2);
    }
    expect((await runCli(['audit', 'verify', file, '--head', file])).code).toBe(2);
  });

  it('finds any single change of any byte, however the file arrives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.integer({ min: 1, max: 5000 }),
        async (at, flip, size) => {
          expect((await verifyAudit(pieces(good, size))).entries).toBe(SAMPLE_LAST);
          const changed = Buffer.from(good);
          changed[at] = (changed[at] ?? 0) ^ flip;
          await expect(verifyAudit(pieces(changed, size))).rejects.toThrow(AuditProblem);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not overlook a mark of byte order, bytes that are no text, or a second newline', async () => {
    const inside = good.indexOf(Buffer.from('\ufffd'));
    const invalid = Buffer.concat([good.subarray(0, inside), Buffer.from([0xff]), good.subarray(inside + 3)]);
    for (const bytes of [
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), good]),
      invalid,
      Buffer.concat([good, Buffer.from('\n')]),
      Buffer.concat([good, Buffer.from(' ')]),
      Buffer.from(good.toString().replaceAll('\n', '\r\n')),
      Buffer.alloc(0),
    ]) {
      await expect(verifyAudit(pieces(bytes, 1000))).rejects.toThrow(AuditProblem);
    }
  });
});
