import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

type Line = { id: string; verdict: string; proof: string; tests: { file: string; title: string }[] };

/** The lines of a page's tables whose first cell is such an id; `verdict` is the cell with that number. */
function linesOf(file: string, id: RegExp, verdict: number): { text: string; lines: Line[] } {
  const text = readFileSync(join(root, file), 'utf8');
  const lines = text.split('\n').filter((line) => id.test(line));
  return {
    text,
    lines: lines.map((line) => {
      const cells = line.slice(2, -2).split(' | ');
      const proof = cells.slice(verdict + 1).join(' | ');
      return {
        id: cells[0] ?? '',
        verdict: cells[verdict] ?? '',
        proof,
        tests: [...proof.matchAll(/`([^`]+\.(?:test|itest|e2e)\.tsx?)` “([^”]+)”/g)].map(
          ([, file = '', title = '']) => ({
            file,
            title: title.replaceAll('\\|', '|'),
          }),
        ),
      };
    }),
  };
}

const asvs = linesOf('docs/security/asvs.md', /^\| V\d+\./, 3);
const mistakes = linesOf('docs/security/peers-mistakes.md', /^\| [A-Z]\d+ \|/, 2);
const pages = [
  ['the ASVS checklist', asvs],
  ['the list of mistakes of others', mistakes],
] as const;

/** How many requirements of level 1 and 2 each section of ASVS 5.0.0 has; sections of level 3 alone are left out. */
// biome-ignore format: one chapter a line
const sections: Record<string, number> = {
  'V6.1': 3, 'V6.2': 12, 'V6.3': 4, 'V6.4': 4, 'V6.5': 5, 'V6.6': 3, 'V6.8': 4,
  'V7.1': 3, 'V7.2': 4, 'V7.3': 2, 'V7.4': 5, 'V7.5': 2, 'V7.6': 2,
  'V8.1': 2, 'V8.2': 3, 'V8.3': 1, 'V8.4': 1,
  'V9.1': 3, 'V9.2': 4,
  'V10.1': 2, 'V10.2': 2, 'V10.3': 4, 'V10.4': 11, 'V10.5': 5, 'V10.6': 2, 'V10.7': 3,
  'V16.1': 1, 'V16.2': 5, 'V16.3': 4, 'V16.4': 3, 'V16.5': 3,
};

it('I7: the ASVS checklist has every requirement of levels 1 and 2 of its chapters, once', () => {
  const found: Record<string, number> = {};
  for (const { id } of asvs.lines)
    found[id.split('.').slice(0, 2).join('.')] = (found[id.split('.').slice(0, 2).join('.')] ?? 0) + 1;
  expect(found).toEqual(sections);
  expect(new Set(asvs.lines.map(({ id }) => id)).size).toBe(asvs.lines.length);
});

it('I7: the list of mistakes of others is whole: what was broken into, designed wrong, and has to be tested', () => {
  const count = (letter: string) => mistakes.lines.filter(({ id }) => id.startsWith(letter)).length;
  expect([count('W'), count('D'), count('T')]).toEqual([25, 10, 9]);
  expect(new Set(mistakes.lines.map(({ id }) => id)).size).toBe(mistakes.lines.length);
});

for (const [name, { text, lines }] of pages) {
  it(`I7: every test that ${name} names exists, by file and title`, () => {
    const tests = lines.flatMap((line) => line.tests.map((test) => ({ id: line.id, ...test })));
    const missing = tests.filter(({ file, title }) => {
      const path = join(root, file);
      if (!existsSync(path)) return true;
      const source = readFileSync(path, 'utf8').replaceAll("\\'", "'").replace(/\(\s+/g, '(');
      return !['"', "'", '`'].some((quote) => source.includes(`(${quote}${title}${quote}`));
    });
    expect(missing).toEqual([]);
    expect(tests.length).toBeGreaterThan(60);
  });

  it(`I7: what ${name} calls tested names a test, everything else gives a reason, and the sums are right`, () => {
    const verdicts = ['tested', 'by construction', 'does not apply', 'deviation', 'not there'];
    for (const { id, verdict, proof, tests } of lines) {
      expect(verdicts, id).toContain(verdict);
      if (verdict === 'tested') expect(tests, id).not.toEqual([]);
      else expect(proof.replace(/`[^`]+` “[^”]+”;? ?/g, '').trim(), id).not.toBe('');
    }
    const sums = verdicts
      .map((verdict) => [lines.filter((line) => line.verdict === verdict).length, verdict] as const)
      .filter(([count]) => count > 0)
      .map(([count, verdict]) => `${count} ${verdict}`)
      .join(', ');
    expect(text).toContain(`So far: ${sums}.`);
  });
}
