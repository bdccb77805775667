// Runs before first paint (blocking, its own file because the content security policy allows no inline script).
(() => {
  let wanted = 'system';
  try {
    wanted = localStorage.getItem('berth.theme') || 'system';
  } catch {}
  const dark = wanted === 'dark' || (wanted !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  const root = document.documentElement;
  root.dataset.theme = dark ? 'dark' : 'light';
  root.style.colorScheme = dark ? 'dark' : 'light';
  const meta = document.querySelector('meta[name="theme-color"]');
  if (meta) meta.content = dark ? '#0f161c' : '#f6f8f9';
})();
