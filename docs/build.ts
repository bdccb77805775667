/**
 * Builds the documentation site: markdown of this repository -> static HTML, plus the API page and a small search index.
 * `node docs/build.ts [--out DIR]` (default docs/dist). The server shows it under /docs; nothing is fetched from elsewhere.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Marked, type Tokens } from 'marked';
import { type OpenApi, renderApi } from './api-page.ts';
import { escapeHtml, type Heading, headingId, renderPage } from './page.ts';
import { pagePath, sections } from './toc.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const SEARCH_TEXT_MAX = 4_000;

/** What the licence's section 13 asks for; host/source-archive.ts makes the file. */
const SOURCE_BODY = `<h1>Source</h1>
<p>Berth is free software under the GNU Affero General Public License, version 3 or later. Whoever uses it over a network
may have its source: <a href="/docs/berth-source.tar.gz" download>berth-source.tar.gz</a> is exactly what runs here,
with the changes its owner made.</p>
<p>A link that named a file and led here means a file of the source: open it there, or in your checkout.</p>`;

export type Link = { from: string; href: string; file: string; anchor: string };
export type Page = {
  file: string;
  path: string;
  title: string;
  body: string;
  headings: Heading[];
  text: string;
  links: Link[];
};

/** Renders one markdown file. Links to other pages become links of the site. */
export function renderMarkdown(file: string, source: string): Page {
  const headings: Heading[] = [];
  const links: Link[] = [];
  const used = new Map<string, number>();
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading(token: Tokens.Heading): string {
        const html = this.parser.parseInline(token.tokens);
        const text = html
          .replace(/<[^>]+>/g, '')
          .replace(/&amp;/g, '&')
          .replace(/&lt;/g, '<')
          .replace(/&gt;/g, '>')
          .replace(/&quot;/g, '"')
          .replace(/&#39;/g, "'");
        const base = headingId(text);
        const count = used.get(base) ?? 0;
        used.set(base, count + 1);
        const id = count === 0 ? base : `${base}-${count}`;
        headings.push({ level: token.depth, id, text });
        const anchor =
          token.depth === 1 ? '' : ` <a class="anchor" href="#${id}" aria-label="Link to this heading">#</a>`;
        return `<h${token.depth} id="${id}">${html}${anchor}</h${token.depth}>\n`;
      },
      link(token: Tokens.Link): string {
        return `<a href="${escapeHtml(siteLink(file, token.href, links))}">${this.parser.parseInline(token.tokens)}</a>`;
      },
      image(token: Tokens.Image): string {
        const target = posix.normalize(posix.join(posix.dirname(file), token.href));
        return `<img src="/docs/${escapeHtml(target.replace(/^docs\//, ''))}" alt="${escapeHtml(token.text)}" loading="lazy">`;
      },
      // Raw HTML is shown as text, so that nothing runs; only the bare anchors of generated pages pass.
      html(token: Tokens.HTML | Tokens.Tag): string {
        if (token.text.startsWith('<!--')) return '';
        return /^<a id="[a-z_]+">$|^<\/a>$/.test(token.text) ? token.text : escapeHtml(token.text);
      },
      table(token: Tokens.Table): string {
        const cell = (tag: string, cells: Tokens.TableCell[]): string =>
          `<tr>${cells.map((item) => `<${tag}>${this.parser.parseInline(item.tokens)}</${tag}>`).join('')}</tr>`;
        const head = cell('th', token.header);
        return `<div class="scroll"><table><thead>${head}</thead><tbody>${token.rows.map((row) => cell('td', row)).join('')}</tbody></table></div>`;
      },
    },
  });
  const body = marked.parse(source, { async: false });
  const text = body
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const title = headings.find((heading) => heading.level === 1)?.text ?? file;
  return { file, path: pagePath(file), title, body, headings, text, links };
}

function siteLink(from: string, href: string, links: Link[]): string {
  if (/^[a-z]+:/.test(href)) return href;
  const [path = '', anchor = ''] = href.split('#', 2);
  const target =
    path === '' ? from : path.startsWith('/') ? path : posix.normalize(posix.join(posix.dirname(from), path));
  links.push({ from, href, file: target, anchor });
  if (target.startsWith('/')) return href;
  const hash = anchor === '' ? '' : `#${anchor}`;
  if (path === '') return hash;
  if (sections.some((section) => section.pages.includes(target))) {
    const page = pagePath(target);
    return `/docs/${page === 'index' ? '' : page}${hash}`;
  }
  // A file of the repository that is no page: its name is enough for a reader with a checkout.
  return `/docs/source#${target}`;
}

/** Every page of the table of contents, rendered. */
export async function renderAll(): Promise<Page[]> {
  const pages: Page[] = [];
  for (const section of sections) {
    for (const file of section.pages) pages.push(renderMarkdown(file, await readFile(join(root, file), 'utf8')));
  }
  return pages;
}

/** The console's own design tokens, so that both look the same in light and dark. */
async function themeTokens(): Promise<string> {
  const css = await readFile(join(root, 'console/styles.css'), 'utf8');
  const blocks = [...css.matchAll(/^(?::root,\s*)?\[data-theme="(?:light|dark)"\] \{[^}]*\}/gm)].map(
    (match) => match[0],
  );
  if (blocks.length < 2) throw new Error('console/styles.css has no light and dark tokens any more; see docs/build.ts');
  return blocks.join('\n');
}

/** Builds the whole site into `out` (emptied first). */
export async function buildDocs(out: string): Promise<number> {
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, 'assets'), { recursive: true });
  const pages = await renderAll();
  const titles = new Map(pages.map((page) => [page.file, page.title]));
  const titleOf = (file: string): string => titles.get(file) ?? file;
  const write = async (path: string, text: string): Promise<void> => {
    const file = join(out, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  };
  for (const page of pages) {
    await write(`${page.path}.html`, renderPage({ ...page, sections, titleOf }));
  }
  const openapi = await readFile(join(root, 'contract/openapi.json'), 'utf8');
  const api = renderApi(JSON.parse(openapi) as OpenApi);
  await write('api.html', renderPage({ title: 'API', path: 'api', ...api, sections, titleOf, wide: true }));
  await write('openapi.json', openapi);
  await write(
    'source.html',
    renderPage({
      title: 'Source',
      path: 'source',
      headings: [],
      sections,
      titleOf,
      body: SOURCE_BODY,
    }),
  );
  await write(
    'assets/search.json',
    JSON.stringify(
      pages.map((page) => ({
        path: page.path === 'index' ? '' : page.path,
        title: page.title,
        headings: page.headings.filter((heading) => heading.level > 1).map(({ id, text }) => ({ id, text })),
        text: page.text.slice(0, SEARCH_TEXT_MAX),
      })),
    ),
  );
  await write('assets/docs.css', `${await themeTokens()}\n${await readFile(join(root, 'docs/site/docs.css'), 'utf8')}`);
  await cp(join(root, 'docs/site/docs.js'), join(out, 'assets/docs.js'));
  await cp(join(root, 'console/lib/theme-boot.js'), join(out, 'assets/theme.js'));
  const images = await readdir(join(root, 'docs/images')).catch(() => []);
  if (images.length > 0) await cp(join(root, 'docs/images'), join(out, 'images'), { recursive: true });
  return pages.length + 2;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'docs/dist') } } });
  const count = await buildDocs(resolve(values.out));
  console.log(`${count} pages in ${values.out}`);
}
