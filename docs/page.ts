/** The HTML around every page: head, top bar, sidebar, list of headings. No inline script: the console's policy holds. */
import { pagePath, type Section } from './toc.ts';

export type Heading = { level: number; id: string; text: string };
export type PageTitle = (file: string) => string;

export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** 'What `up` does' -> 'what-up-does', as GitHub makes them. */
export function headingId(text: string): string {
  return text
    .toLowerCase()
    .replace(/<[^>]+>/g, '')
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function sidebar(sections: readonly Section[], current: string, titleOf: PageTitle): string {
  const groups = sections.map((section) => {
    const links = section.pages.map((file) => {
      const path = pagePath(file);
      const here = path === current ? ' aria-current="page"' : '';
      return `<li><a href="/docs/${path === 'index' ? '' : path}"${here}>${escapeHtml(titleOf(file))}</a></li>`;
    });
    if (section.title === 'Reference') {
      links.unshift(`<li><a href="/docs/api"${current === 'api' ? ' aria-current="page"' : ''}>API</a></li>`);
    }
    return `<section><h2>${escapeHtml(section.title)}</h2><ul>${links.join('')}</ul></section>`;
  });
  return `<nav class="sidebar" aria-label="Pages">${groups.join('')}</nav>`;
}

function contents(headings: readonly Heading[]): string {
  const shown = headings.filter((heading) => heading.level === 2 || heading.level === 3);
  if (shown.length < 2) return '<aside class="contents"></aside>';
  const links = shown.map(
    (item) => `<li class="l${item.level}"><a href="#${item.id}">${escapeHtml(item.text)}</a></li>`,
  );
  return `<aside class="contents" aria-label="On this page"><h2>On this page</h2><ul>${links.join('')}</ul></aside>`;
}

/** One whole page. `body` is trusted HTML made from this repository's own files. */
export function renderPage(input: {
  title: string;
  path: string;
  body: string;
  headings: readonly Heading[];
  sections: readonly Section[];
  titleOf: PageTitle;
  wide?: boolean;
}): string {
  const { title, path, body, headings, sections, titleOf } = input;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - Berth docs</title>
<link rel="icon" href="/favicon.svg">
<script src="/docs/assets/theme.js"></script>
<link rel="stylesheet" href="/docs/assets/docs.css">
<script src="/docs/assets/docs.js" defer></script>
</head>
<body${input.wide === true ? ' class="wide"' : ''}>
<a class="skip" href="#main">Skip to the text</a>
<header class="top">
<button type="button" class="menu" aria-label="Pages" aria-expanded="false">&#9776;</button>
<a class="brand" href="/docs/">Berth <span>docs</span></a>
<div class="search" role="search">
<input type="search" placeholder="Search" aria-label="Search the docs" autocomplete="off">
<ol class="results" hidden></ol>
</div>
<button type="button" class="theme" aria-label="Light or dark">&#9680;</button>
<a class="console" href="/">Console</a>
</header>
<div class="columns">
${sidebar(sections, path, titleOf)}
<main id="main"><article>
${body}
<footer><a href="/docs/source">Source code (AGPL-3.0-or-later)</a></footer>
</article></main>
${contents(headings)}
</div>
</body>
</html>
`;
}
