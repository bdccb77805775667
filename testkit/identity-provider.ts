/** Starts the OpenID provider of testkit/oidc-provider-main.ts, and walks through it like a browser. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Control } from './oidc-provider-main.ts';

const MAIN = fileURLToPath(new URL('./oidc-provider-main.ts', import.meta.url));
const STEPS_MAX = 12;

export type TestProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  control<T = unknown>(order: Control): Promise<T>;
  stop(): Promise<void>;
};

/** `logoutUri`: where it tells of sign-outs. */
export async function startTestProvider(options: {
  redirectUris: string[];
  logoutUri?: string | null;
}): Promise<TestProvider> {
  const { redirectUris, logoutUri = null } = options;
  const child = spawn(process.execPath, [MAIN, JSON.stringify({ redirectUris, logoutUri })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  const issuer = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the test provider ended with ${code}: ${complaints}`)));
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line).issuer));
  });
  return {
    issuer,
    clientId: 'berth',
    clientSecret: 'a secret of the test provider',
    async control<T>(order: Control): Promise<T> {
      const response = await fetch(`${issuer}/control`, { method: 'POST', body: JSON.stringify(order) });
      if (!response.ok) throw new Error(await response.text());
      return (await response.json()) as T;
    },
    async stop() {
      if (child.exitCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    },
  };
}

/** Cookies of one person's browser at other sites. */
export class OutsideBrowser {
  readonly #cookies = new Map<string, string>();

  /** Follows redirects from `url` until one leads to an address that starts with `until`; answers that address. */
  async follow(url: string, until: string): Promise<URL> {
    let at = url;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (at.startsWith(until)) return new URL(at);
      const response = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        const cut = pair.indexOf('=');
        this.#cookies.set(pair.slice(0, cut), pair.slice(cut + 1));
      }
      const next = response.headers.get('location');
      if (next === null) throw new Error(`${at} answers ${response.status}: ${(await response.text()).slice(0, 500)}`);
      at = new URL(next, at).href;
    }
    throw new Error(`too many redirects from ${url}`);
  }
}
