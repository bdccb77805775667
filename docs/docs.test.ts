import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { errorCatalogue } from '#domain/errors.ts';
import { helpPages } from '../console/shell/help.ts';
import { renderApi } from './api-page.ts';
import { renderAll, renderMarkdown } from './build.ts';
import { generatedPages } from './generate.ts';
import { pagePath, sections } from './toc.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

it('U5: generated pages are what the code says (else: npm run docs:generate)', () => {
  for (const [file, text] of Object.entries(generatedPages())) {
    expect(readFileSync(join(root, file), 'utf8') === text, `${file} is stale: npm run docs:generate`).toBe(true);
  }
});

it('U5: every page of docs/ is in the table of contents, once', () => {
  const listed = sections.flatMap((section) => [...section.pages]);
  expect(new Set(listed).size).toBe(listed.length);
  const present = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && !file.startsWith('dist'))
    .map((file) => `docs/${file}`);
  expect(present.filter((file) => !listed.includes(file))).toEqual([]);
});

it('U5: links between pages lead to pages, headings and files that exist', async () => {
  const pages = await renderAll();
  const byFile = new Map(pages.map((page) => [page.file, page]));
  const broken: string[] = [];
  for (const link of pages.flatMap((page) => page.links)) {
    if (link.file.startsWith('/docs/')) {
      const path = link.file.replace('/docs/', '');
      if (path !== 'api' && !pages.some((page) => page.path === path)) broken.push(`${link.from}: ${link.href}`);
      continue;
    }
    const page = byFile.get(link.file);
    const there = page !== undefined || existsSync(join(root, link.file));
    const anchor =
      link.anchor === '' || page === undefined || page.headings.some((heading) => heading.id === link.anchor);
    if (!there || !anchor) broken.push(`${link.from}: ${link.href}`);
  }
  expect(broken).toEqual([]);
});

it('U5: help links of the console lead to pages that exist', async () => {
  const paths = (await renderAll()).map((page) => page.path);
  expect(helpPages.filter((page) => !paths.includes(page))).toEqual([]);
});

it('U5: every error code has an anchor that problem documents can point to', async () => {
  const page = renderMarkdown('docs/reference/errors.md', readFileSync(join(root, 'docs/reference/errors.md'), 'utf8'));
  for (const code of Object.keys(errorCatalogue)) expect(page.body).toContain(`<a id="${code}"></a>`);
  expect(pagePath(page.file)).toBe('reference/errors');
});

it('U5: raw HTML in markdown never becomes markup', () => {
  const page = renderMarkdown(
    'docs/glossary.md',
    '# T\n\n<script>alert(1)</script>\n\nx <img src=x onerror=alert(1)> y\n\n<!-- gone -->',
  );
  expect(page.body).not.toContain('<script');
  expect(page.body).not.toContain('<img src=x');
  expect(page.body).not.toContain('gone');
});

it('U3: the API page shows every operation of the document', () => {
  const document = JSON.parse(readFileSync(join(root, 'contract/openapi.json'), 'utf8')) as Parameters<
    typeof renderApi
  >[0];
  const { body } = renderApi(document);
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods)) expect(body).toContain(`id="${operation.operationId}"`);
  }
});
