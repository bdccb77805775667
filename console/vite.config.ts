/** Build of the console: static files with content hashes in console/dist, served by the API server. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

/** The theme is set by a blocking script before first paint; it is its own hashed file so that no inline script is needed. */
function themeBoot(): Plugin {
  const source = readFileSync(`${here}/lib/theme-boot.js`, 'utf8');
  const hash = createHash('sha256').update(source).digest('hex').slice(0, 8);
  const fileName = `assets/theme-${hash}.js`;
  return {
    name: 'berth-theme-boot',
    configureServer(server) {
      server.middlewares.use(`/${fileName}`, (_request, response) => {
        response.setHeader('content-type', 'text/javascript');
        response.end(source);
      });
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source });
    },
    transformIndexHtml: {
      order: 'post',
      handler(html) {
        return html.replace(/<!-- theme-boot:.*?-->/, `<script src="/${fileName}"></script>`);
      },
    },
  };
}

/** `BERTH_MOCK=1` answers every API call from memory (console/mock-api): pages without a server, and the public demo. */
async function mockApi(): Promise<Plugin[]> {
  if (process.env.BERTH_MOCK !== '1') return [];
  const { mockApiPlugin } = await import('./mock-api/plugin.ts');
  return [mockApiPlugin()];
}

const backend = process.env.BERTH_BACKEND ?? 'https://berth.localhost:9443';

export default defineConfig(async () => ({
  root: here,
  plugins: [react(), tailwindcss(), themeBoot(), ...(await mockApi())],
  build: {
    outDir: `${here}/dist`,
    emptyOutDir: true,
    // dev/budget.ts reads it.
    manifest: true,
    target: 'es2023',
    // Inlined images would need `data:` for more than the screen's cursor; hashed files cache better.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
  server: {
    port: 5173,
    watch: { ignored: ['**/dist*/**'] },
    proxy:
      process.env.BERTH_MOCK === '1'
        ? undefined
        : {
            // Server and edge take changes and sockets from the console's own origin only: in development that is this one.
            '/api/v1': { target: backend, secure: false, changeOrigin: true, headers: { origin: backend } },
            '/edge/v1': { target: backend, secure: false, changeOrigin: true, ws: true, headers: { origin: backend } },
            '/oidc': { target: backend, secure: false, changeOrigin: true },
            '/docs': { target: backend, secure: false, changeOrigin: true },
          },
  },
}));
