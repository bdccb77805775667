import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditCrypto, auditSigner, makeAuditKey, publicAuditKey } from '#server/runtime/audit-keys.ts';
import {
  SAMPLE_CHAIN as chain,
  sampleExport as exported,
  sampleHead as headAt,
  sampleKey as key,
  SAMPLE_LAST as LAST,
  sampleLines as lines,
  sampleLink as linkTo,
  SAMPLE_AT as now,
  plainBox,
  sampleSigner as signer,
  sampleTombstone as tombstone,
} from '#testkit/audit-sample.ts';
import { type AuditHeader, linkOf } from './audit.ts';
import { AuditProblem, type AuditReport, AuditVerifier } from './audit-verify.ts';
import { canonicalJson } from './canonical-json.ts';

function verify(text: string, options: ConstructorParameters<typeof AuditVerifier>[1] = {}): AuditReport {
  const verifier = new AuditVerifier(auditCrypto, options);
  const parts = text.split('\n');
  const rest = parts.pop() ?? '';
  for (const part of parts) verifier.push(part);
  return verifier.end(rest);
}

function problemOf(text: string, options: ConstructorParameters<typeof AuditVerifier>[1] = {}): AuditProblem {
  try {
    verify(text, options);
  } catch (error) {
    if (error instanceof AuditProblem) return error;
    throw error;
  }
  throw new Error('it was taken for right');
}

const good = exported();
const goodLines = good.split('\n').slice(0, -1);
const joined = (parts: string[]) => parts.map((part) => `${part}\n`).join('');

describe('I6: verifying an export', () => {
  it('finds nothing wrong with a true one, whole, in part, or after retention', () => {
    expect(verify(good)).toMatchObject({ chain, entries: LAST, first: 1, last: LAST, removed: 0, headsChecked: 2 });
    expect(verify(exported({ from: 4, to: 9 }))).toMatchObject({ entries: 6, first: 4, last: 9 });
    expect(verify(exported({ from: 5, removed: true }))).toMatchObject({ entries: 8, removed: 4 });
  });

  it('names the first bad line: edited, removed, inserted, out of order, cut off', () => {
    const edited = [...goodLines];
    edited[5] = (edited[5] ?? '').replace('ada@', 'eve@');
    expect(problemOf(joined(edited)).line).toBe(6);
    expect(problemOf(joined(goodLines.filter((_, index) => index !== 7))).line).toBe(8);
    expect(problemOf(joined(goodLines.toSpliced(3, 0, goodLines[9] ?? ''))).line).toBe(4);
    expect(problemOf(joined(goodLines.toSpliced(4, 2, goodLines[5] ?? '', goodLines[4] ?? ''))).line).toBe(5);
    expect(problemOf(joined(goodLines.slice(0, 10)))).toMatchObject({ line: 11 });
    expect(problemOf(good.slice(0, -4)).line).toBe(LAST + 1);
    expect(problemOf('').line).toBe(1);
  });

  it('finds a chain that was made anew behind an edit, at the signed head', () => {
    let link = linkTo(2);
    const forged = lines.slice(2).map((line) => {
      const content = line.position === 3 ? { ...line.entry, actor: 'eve@example.test' } : line.entry;
      link = linkOf(auditCrypto, chain, line.position, link, content);
      return canonicalJson({ entry: content, link, position: line.position });
    });
    const problem = problemOf(joined([...goodLines.slice(0, 3), ...forged]));
    expect(problem.line).toBe(9);
    expect(problem.message).toContain('between entry 1 and entry 8');
  });

  it('finds any single change of any byte, and any line lost, doubled or moved', () => {
    const bytes = Buffer.from(good);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        problemOf(changed.toString('utf8'));
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 40 }), (at, count) => {
        problemOf(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]).toString('utf8'));
      }),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }), (at, text) => {
        problemOf(Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at)]).toString('utf8'));
      }),
    );
    fc.assert(
      fc.property(fc.nat(LAST), fc.nat(LAST), (from, to) => {
        const line = goodLines[from] ?? '';
        problemOf(joined(goodLines.toSpliced(from, 1)));
        problemOf(joined(goodLines.toSpliced(to, 0, line)));
        if (from !== to) problemOf(joined(goodLines.toSpliced(from, 1).toSpliced(to, 0, line)));
      }),
    );
  });

  it('a tail cut off and signed for again is found with a head kept elsewhere', () => {
    const older = exported({ to: 9 });
    expect(verify(older).last).toBe(9);
    expect(problemOf(older, { kept: [headAt(LAST)] })).toMatchObject({ line: 11 });
    expect(verify(good, { kept: [headAt(9)] }).headsChecked).toBe(3);
    const other = { ...headAt(9), link: linkTo(8) };
    expect(problemOf(good, { kept: [other] }).message).toContain('not signed');
    const lie = signer.sign('head', { at: now, chain, link: linkTo(8), position: 9 });
    expect(problemOf(good, { kept: [lie] }).line).toBe(10);
  });

  it('an export made with another key is refused when the right one is named', () => {
    expect(verify(good, { trusted: [key.id] }).keys).toEqual([key.id]);
    expect(problemOf(good, { trusted: ['another'] }).line).toBe(1);
    const forger = auditSigner(plainBox, makeAuditKey(plainBox));
    const { key: _, signature: __, ...rest } = JSON.parse(goodLines[0] ?? '') as AuditHeader;
    expect(problemOf(joined([canonicalJson(forger.sign('header', rest)), ...goodLines.slice(1)])).line).toBe(1);
  });

  it('tombstones must begin at the first entry, follow each other and fit what is left', () => {
    expect(problemOf(exported({ from: 5, removed: true, change: { tombstones: [], first: 1 } }))).toBeInstanceOf(
      AuditProblem,
    );
    const two = [tombstone(1, 2, linkTo(2)), tombstone(3, 4, linkTo(4))];
    expect(verify(exported({ from: 5, change: { tombstones: two } })).removed).toBe(4);
    expect(problemOf(exported({ from: 5, change: { tombstones: two.slice(1) } })).message).toContain('gap');
    expect(problemOf(exported({ from: 5, change: { tombstones: [tombstone(1, 4, linkTo(3))] } })).message).toContain(
      'go on',
    );
    expect(problemOf(exported({ from: 3, change: { tombstones: two } })).message).toContain('removed before');
  });

  it('a statement of one kind is never taken for another', () => {
    const head = headAt(LAST);
    const text = good.replace(/"signature":"[^"]+","successions"/, `"signature":"${head.signature}","successions"`);
    expect(text).not.toBe(good);
    expect(problemOf(text).message).toContain('header was changed');
  });

  it('a word of succession counts from the key that is believed on, in its order, and only when it is signed', () => {
    const [first, second, third] = [key, makeAuditKey(plainBox), makeAuditKey(plainBox)];
    const names = (before: typeof key, next: { id: string }) =>
      auditSigner(plainBox, before).sign('succession', { at: now, next: next.id });
    const spanning = (successions: unknown[]) => {
      const { key: _, signature: __, ...rest } = JSON.parse(goodLines[0] ?? '') as AuditHeader;
      const keys = [first, second, third].map(publicAuditKey);
      const header = auditSigner(plainBox, third).sign('header', { ...rest, keys, successions });
      return joined([canonicalJson(header), ...goodLines.slice(1)]);
    };
    const whole = spanning([names(first, second), names(second, third)]);
    for (const each of [first, second, third]) expect(verify(whole, { trusted: [each.id] }).key).toBe(third.id);
    const refused = (successions: unknown[], trusted = first.id) =>
      problemOf(spanning(successions), { trusted: [trusted] }).message;
    expect(refused([names(second, third)])).toContain('did not follow it');
    expect(refused([names(second, third), names(first, second)])).toContain('did not follow it');
    expect(refused([names(third, third), names(third, second)])).toContain('did not follow it');
    expect(refused([])).toContain('did not follow it');
    expect(refused([{ ...names(third, second), key: first.id, next: third.id }])).toContain('not signed');
    expect(refused([{ ...names(first, third), at: 'later' }])).toContain('not signed');
    expect(refused([{ ...names(first, third), more: 1 }])).toContain('of a wrong kind');
  });
});
