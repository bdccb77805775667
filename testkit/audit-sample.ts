/** A small export of an audit log, made and signed here: for tests of what checks one. */
import {
  AUDIT_EXPORT_FORMAT,
  type AuditContent,
  type AuditHead,
  type AuditHeader,
  type AuditLine,
  EMPTY_LINK,
  linkOf,
} from '#domain/audit.ts';
import { canonicalJson } from '#domain/canonical-json.ts';
import { auditCrypto, auditSigner, makeAuditKey, publicAuditKey } from '#server/runtime/audit-keys.ts';

export const plainBox = { seal: (_: unknown, secret: string) => secret, open: (_: unknown, sealed: string) => sealed };
export const sampleKey = makeAuditKey(plainBox);
export const sampleSigner = auditSigner(plainBox, sampleKey);
export const SAMPLE_CHAIN = 'org_01j00000000000000000000000';
export const SAMPLE_AT = '2026-01-02T03:04:05.678Z';
export const SAMPLE_LAST = 12;

function entry(n: number): AuditContent {
  return {
    id: `aud_${n}`,
    at: SAMPLE_AT,
    actorKind: 'user',
    actorId: 'usr_1',
    actor: 'ada@example.test',
    action: 'instances.create',
    targetKind: 'instance',
    targetId: `ins_${n}`,
    target: `web-${n}`,
    result: 'ok',
    organization: SAMPLE_CHAIN,
    project: null,
    address: '192.0.2.7',
    userAgent: 'test',
    requestId: `req-${n}`,
    before: null,
    after: { cpus: n, note: 'ąčę \ufffd "x" \n' },
  };
}

export const sampleLines: AuditLine[] = [];
for (let position = 1, link = EMPTY_LINK; position <= SAMPLE_LAST; position++) {
  link = linkOf(auditCrypto, SAMPLE_CHAIN, position, link, entry(position));
  sampleLines.push({ entry: entry(position), link, position });
}

export const sampleLink = (position: number): string =>
  position === 0 ? EMPTY_LINK : (sampleLines[position - 1]?.link ?? '');

export const sampleHead = (position: number): AuditHead =>
  sampleSigner.sign('head', { at: SAMPLE_AT, chain: SAMPLE_CHAIN, link: sampleLink(position), position });

export const sampleTombstone = (from: number, to: number, link: string = sampleLink(to)) =>
  sampleSigner.sign('tombstone', {
    chain: SAMPLE_CHAIN,
    count: to - from + 1,
    firstAt: SAMPLE_AT,
    from,
    lastAt: SAMPLE_AT,
    link,
    removedAt: SAMPLE_AT,
    retentionDays: 90,
    to,
  });

/** Entries `from` to `to`; `change` is put into the header before it is signed. */
export function sampleExport(
  options: { from?: number; to?: number; removed?: boolean; change?: Partial<AuditHeader> } = {},
): string {
  const { from = 1, to = SAMPLE_LAST, removed = false } = options;
  const header = sampleSigner.sign('header', {
    chain: SAMPLE_CHAIN,
    exportedAt: SAMPLE_AT,
    first: from,
    format: AUDIT_EXPORT_FORMAT,
    heads: [sampleHead(8), sampleHead(to)].filter((head) => head.position <= to),
    keys: [publicAuditKey(sampleKey)],
    last: to,
    previous: sampleLink(from - 1),
    successions: [],
    tombstones: removed ? [sampleTombstone(1, from - 1)] : [],
    ...options.change,
  });
  return [header, ...sampleLines.slice(from - 1, to)].map((line) => `${canonicalJson(line)}\n`).join('');
}
