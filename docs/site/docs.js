// Theme switch, menu on phones, search. Shares the theme with the console (localStorage 'berth.theme').
const root = document.documentElement;

document.querySelector('.theme')?.addEventListener('click', () => {
  const next = root.dataset.theme === 'dark' ? 'light' : 'dark';
  root.dataset.theme = next;
  root.style.colorScheme = next;
  try {
    localStorage.setItem('berth.theme', next);
  } catch {}
});

const menu = document.querySelector('.menu');
menu?.addEventListener('click', () => {
  const open = document.body.classList.toggle('open');
  menu.setAttribute('aria-expanded', String(open));
});

document.querySelector('.sidebar [aria-current]')?.scrollIntoView({ block: 'center' });

const openTarget = () => {
  const target = location.hash === '' ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
};
addEventListener('hashchange', openTarget);
openTarget();

const input = document.querySelector('.search input');
const results = document.querySelector('.results');
let index = null;

const rank = (page, words) => {
  const title = page.title.toLowerCase();
  const text = page.text.toLowerCase();
  let score = 0;
  let heading = null;
  for (const word of words) {
    const hit = page.headings.find((item) => item.text.toLowerCase().includes(word));
    if (title.includes(word)) score += 10;
    else if (hit) score += 5;
    else if (text.includes(word)) score += 1;
    else return null;
    heading ??= title.includes(word) ? null : (hit ?? null);
  }
  return { page, score, heading };
};

const search = async () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    results.hidden = true;
    return;
  }
  index ??= await (await fetch('/docs/assets/search.json')).json();
  const found = index
    .map((page) => rank(page, words))
    .filter(Boolean)
    .sort((a, b) => b.score - a.score)
    .slice(0, 8);
  results.replaceChildren(
    ...found.map(({ page, heading }) => {
      const item = document.createElement('li');
      const link = document.createElement('a');
      link.href = `/docs/${page.path}${heading ? `#${heading.id}` : ''}`;
      link.textContent = heading ? `${page.title}: ${heading.text}` : page.title;
      item.append(link);
      return item;
    }),
  );
  if (found.length === 0) {
    const item = document.createElement('li');
    item.textContent = 'Nothing found.';
    results.append(item);
  }
  results.hidden = false;
};

if (input && results) {
  input.addEventListener('input', search);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') results.querySelector('a')?.click();
    if (event.key === 'Escape') {
      input.value = '';
      results.hidden = true;
    }
    if (event.key === 'ArrowDown') results.querySelector('a')?.focus();
  });
  document.addEventListener('click', (event) => {
    if (!event.target.closest('.search')) results.hidden = true;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !/^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? '')) {
      event.preventDefault();
      input.focus();
    }
  });
}

for (const block of document.querySelectorAll('pre')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard?.writeText(block.querySelector('code')?.textContent ?? '');
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  });
  block.append(button);
}
