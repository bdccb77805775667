import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(root, 'docs/security/asvs.md'), 'utf8');
const lines = page.split('\n').filter((line) => /^\| V\d+\./.test(line));
const cells = lines.map((line) => {
  const [id = '', level = '', , verdict = '', ...rest] = line.slice(2, -2).split(' | ');
  return { id, level, verdict, proof: rest.join(' | ') };
});
const proofs = cells.flatMap(({ id, proof }) =>
  [...proof.matchAll(/`([^`]+\.(?:test|itest|e2e)\.tsx?)` “([^”]+)”/g)].map(([, file = '', title = '']) => ({
    id,
    file,
    title: title.replaceAll('\\|', '|'),
  })),
);

/** How many requirements of level 1 and 2 each section of ASVS 5.0.0 has; sections of level 3 alone are left out. */
// biome-ignore format: one chapter a line
const sections: Record<string, number> = {
  'V6.1': 3, 'V6.2': 12, 'V6.3': 4, 'V6.4': 4, 'V6.5': 5, 'V6.6': 3, 'V6.8': 4,
  'V7.1': 3, 'V7.2': 4, 'V7.3': 2, 'V7.4': 5, 'V7.5': 2, 'V7.6': 2,
  'V8.1': 2, 'V8.2': 3, 'V8.3': 1, 'V8.4': 1,
  'V9.1': 3, 'V9.2': 4,
  'V10.1': 2, 'V10.2': 2, 'V10.3': 4, 'V10.4': 11, 'V10.5': 5, 'V10.6': 2, 'V10.7': 3,
};

it('I7: the ASVS checklist has every requirement of levels 1 and 2 of its chapters, once', () => {
  const found: Record<string, number> = {};
  for (const { id } of cells)
    found[id.split('.').slice(0, 2).join('.')] = (found[id.split('.').slice(0, 2).join('.')] ?? 0) + 1;
  expect(found).toEqual(sections);
  expect(new Set(cells.map(({ id }) => id)).size).toBe(cells.length);
});

it('I7: every test that the ASVS checklist names exists, by file and title', () => {
  const missing = proofs.filter(({ file, title }) => {
    const path = join(root, file);
    if (!existsSync(path)) return true;
    const text = readFileSync(path, 'utf8').replaceAll("\\'", "'");
    return !['"', "'", '`'].some((quote) => text.includes(`(${quote}${title}${quote}`));
  });
  expect(missing).toEqual([]);
  expect(proofs.length).toBeGreaterThan(60);
});

it('I7: what the ASVS checklist calls tested names a test, and everything else gives a reason', () => {
  const verdicts = ['tested', 'by construction', 'does not apply', 'deviation', 'open'];
  for (const { id, verdict, proof } of cells) {
    expect(verdicts, id).toContain(verdict);
    if (verdict === 'tested')
      expect(
        proofs.some((each) => each.id === id),
        id,
      ).toBe(true);
    else expect(proof.replace(/`[^`]+` “[^”]+”;? ?/g, '').trim(), id).not.toBe('');
  }
});
