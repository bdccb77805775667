import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_BYTES_MAX, LineSplitter } from './lines.ts';
import { escapeRegExp, logArguments, parseJournalLine } from './logs.ts';

const at = '1763692800123456';

describe('journal lines', () => {
  it('become entries', () => {
    expect(
      parseJournalLine(
        JSON.stringify({ __REALTIME_TIMESTAMP: at, MESSAGE: 'hello', PRIORITY: '3', _SYSTEMD_UNIT: 'ssh.service' }),
      ),
    ).toEqual({
      ts: '2025-11-21T02:40:00.123Z',
      unit: 'ssh.service',
      priority: 3,
      message: 'hello',
    });
    expect(
      parseJournalLine(
        JSON.stringify({ __REALTIME_TIMESTAMP: at, MESSAGE: [103, 114, 195, 188, 255], SYSLOG_IDENTIFIER: 'x' }),
      )?.message,
    ).toBe('grü\ufffd');
    expect(parseJournalLine(JSON.stringify({ __REALTIME_TIMESTAMP: at, MESSAGE: null, PRIORITY: '99' }))).toMatchObject(
      { message: '', priority: 6, unit: '' },
    );
    expect(
      parseJournalLine(JSON.stringify({ __REALTIME_TIMESTAMP: at, MESSAGE: 'x'.repeat(100_000) }))?.message.length,
    ).toBe(8_192);
  });

  it('never throw, whatever a guest sends', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({ __REALTIME_TIMESTAMP: fc.anything(), MESSAGE: fc.anything() })
            .map((value) => JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? 1 : inner)) ?? ''),
        ),
        (line) => void parseJournalLine(line),
      ),
    );
    const odd = { toString: '' };
    expect(parseJournalLine(JSON.stringify({ __REALTIME_TIMESTAMP: odd }))).toBeNull();
    expect(
      parseJournalLine(JSON.stringify({ __REALTIME_TIMESTAMP: '1700000000000000', PRIORITY: odd }))?.priority,
    ).toBe(6);
    for (const time of ['1e400', '-1', '999999999999999999999', 'x', ''])
      expect(parseJournalLine(JSON.stringify({ __REALTIME_TIMESTAMP: time }))).toBeNull();
  });

  it('are cut from any sequence of pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().map((text) => text.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 7 }),
        (lines, step) => {
          const seen: string[] = [];
          const splitter = new LineSplitter((line) => seen.push(line));
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          for (let start = 0; start < bytes.length; start += step) splitter.push(bytes.subarray(start, start + step));
          expect(seen).toEqual(lines.filter((line) => line !== '').map((line) => Buffer.from(line).toString('utf8')));
        },
      ),
    );
  });

  it('that never end do not fill the memory', () => {
    const seen: string[] = [];
    const splitter = new LineSplitter((line) => seen.push(line));
    for (let size = 0; size < 4 * LINE_BYTES_MAX; size += 65_536) splitter.push(Buffer.alloc(65_536, 120));
    splitter.push(Buffer.from('\nafter\n'));
    expect(seen).toEqual(['after']);
  });
});

describe('journal arguments', () => {
  it('keep every value inside its own option', () => {
    const argv = logArguments({
      lines: 10,
      search: '--root=/ $(reboot)',
      unit: 'ssh.service',
      sinceIso: '2025-11-21T02:40:00Z',
    });
    expect(argv).toContain('--unit=ssh.service');
    expect(argv).toContain('--since=@1763692800');
    expect(argv).toContain('--lines=10');
    expect(argv.filter((value) => value.startsWith('--grep='))).toHaveLength(1);
    expect(argv.every((value, index) => index === 0 || value.startsWith('--'))).toBe(true);
  });

  it('search for the text itself', () => {
    fc.assert(fc.property(fc.string({ minLength: 1 }), (text) => new RegExp(escapeRegExp(text)).test(text)));
  });
});
