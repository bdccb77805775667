/** What edge shows to people, and the problem documents it gives to programs, when a request cannot go through. */
import { type ErrorCode, errorCatalogue } from '#domain/errors.ts';

export type Answer = { status: number; headers: Record<string, string | string[]>; body: string };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Programs get JSON: everything that does not ask for a page. */
export function wantsPage(accept: string | undefined): boolean {
  return accept?.includes('text/html') === true;
}

export type PageInput = {
  title: string;
  /** Sentences for people; plain text, escaped here. */
  text: string;
  /** Lines under the text, such as what to do. */
  hints?: string[];
  link?: { href: string; label: string };
  refreshSeconds?: number;
};

const STYLE = `:root{color-scheme:light dark;--ink:#1d2433;--soft:#5b6577;--paper:#fff;--line:#e3e7ee;--back:#f5f7fa;--accent:#2456d6}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--soft:#9aa6bb;--paper:#171c26;--line:#2a3242;--back:#0f131b;--accent:#86a8ff}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:34rem;width:100%;background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:2rem 2.25rem}
h1{font-size:1.3rem;line-height:1.3;margin:0 0 .75rem}p{margin:0 0 .75rem}ul{margin:.25rem 0 1rem;padding-left:1.15rem;color:var(--soft)}li{margin:.25rem 0}
a.go{display:inline-block;margin-top:.5rem;padding:.55rem 1rem;border-radius:8px;background:var(--accent);color:var(--paper);text-decoration:none;font-weight:600}
footer{margin-top:1.25rem;color:var(--soft);font-size:.85rem}code{font:.92em ui-monospace,monospace}`;

export function htmlPage(status: number, page: PageInput): Answer {
  const refresh =
    page.refreshSeconds === undefined ? '' : `<meta http-equiv="refresh" content="${Math.ceil(page.refreshSeconds)}">`;
  const hints =
    page.hints === undefined || page.hints.length === 0
      ? ''
      : `<ul>${page.hints.map((hint) => `<li>${escapeHtml(hint)}</li>`).join('')}</ul>`;
  const link =
    page.link === undefined
      ? ''
      : `<a class="go" href="${escapeHtml(page.link.href)}">${escapeHtml(page.link.label)}</a>`;
  const footer =
    page.refreshSeconds === undefined
      ? ''
      : `<footer>This page tries again every ${Math.ceil(page.refreshSeconds)} seconds.</footer>`;
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      ...(page.refreshSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(page.refreshSeconds)) }),
    },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">${refresh}<title>${escapeHtml(page.title)}</title><style>${STYLE}</style></head><body><main><h1>${escapeHtml(page.title)}</h1><p>${escapeHtml(page.text)}</p>${hints}${link}${footer}</main></body></html>`,
  };
}

/** RFC 9457 problem JSON as the API gives it. */
export function problem(
  code: ErrorCode,
  detail: string,
  requestId: string,
  retryAfterSeconds?: number,
  status?: number,
): Answer {
  const known = errorCatalogue[code];
  return {
    status: status ?? known.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(code === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="berth"' } : {}),
    },
    body: JSON.stringify({
      type: `/docs/reference/errors#${code}`,
      title: known.title,
      status: status ?? known.status,
      detail,
      code,
      requestId,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    }),
  };
}

/** A page for people or a problem for programs, saying the same. */
export function refusal(
  accept: string | undefined,
  code: ErrorCode,
  page: PageInput,
  requestId: string,
  status: number = errorCatalogue[code].status,
): Answer {
  if (wantsPage(accept)) return htmlPage(status, page);
  return problem(code, [page.text, ...(page.hints ?? [])].join(' '), requestId, page.refreshSeconds, status);
}

export function redirect(location: string, cookies: string[] = [], status: 301 | 302 | 307 | 308 = 302): Answer {
  return {
    status,
    headers: {
      location,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      ...(cookies.length === 0 ? {} : { 'set-cookie': cookies }),
    },
    body: '',
  };
}
