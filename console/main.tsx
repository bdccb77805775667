import './styles.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api/queries.ts';
import { listenForShortcuts } from './lib/keyboard.ts';
import { watchTheme } from './lib/theme.ts';
import { router } from './routes.tsx';
import { TooltipProvider } from './ui/tooltip.tsx';

watchTheme();
// After an update the files of the old console are gone: a tab that is still open loads the new one, once.
const RELOADED_KEY = 'berth.reloaded-at';
const RELOAD_PAUSE_MS = 30_000;
addEventListener('vite:preloadError', (event) => {
  const last = Number(sessionStorage.getItem(RELOADED_KEY) ?? 0);
  if (Date.now() - last < RELOAD_PAUSE_MS) return;
  event.preventDefault();
  sessionStorage.setItem(RELOADED_KEY, String(Date.now()));
  location.reload();
});
listenForShortcuts();

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <TooltipProvider delay={350}>
        <RouterProvider router={router} />
      </TooltipProvider>
    </QueryClientProvider>
  </StrictMode>,
);
