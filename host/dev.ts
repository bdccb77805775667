/**
 * `npm run dev` (berth dev): the whole stack in the foreground with hot reload. The API server and edge run under
 * `node --watch`, the server with an inspector on 127.0.0.1:9229, the console from Vite on http://localhost:5173, which
 * passes /api and /edge to the control plane. Data lives in its own folder, so a real installation is left alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Checklist } from './checklist.ts';
import { Foreground } from './foreground.ts';
import { checkout, originOf } from './layout.ts';
import { showLogs } from './logs.ts';
import { parse, parseUp } from './options.ts';
import { up } from './up.ts';

export const DEV_DATA_DIR = '/var/lib/berth-dev';
const DEV_PORTS = { control: 9543, https: 9544, http: 9580, ssh: 12222 };
const INSPECT = '127.0.0.1:9229';
const VITE_PORT = 5173;

export async function devCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, {
    'data-dir': { type: 'string', default: DEV_DATA_DIR },
    'no-images': { type: 'boolean', default: false },
    inspect: { type: 'string', default: INSPECT },
  });
  // The engine needs root; the supervisor of development is always the built-in one, so that Ctrl-C ends everything.
  process.env.BERTH_SUPERVISOR = 'builtin';
  const options = parseUp([
    '--yes',
    '--no-console',
    ...(values['no-images'] === true ? ['--no-images'] : []),
    ...['--data-dir', String(values['data-dir'])],
    ...[
      '--control-port',
      String(DEV_PORTS.control),
      '--https-port',
      String(DEV_PORTS.https),
      '--http-port',
      String(DEV_PORTS.http),
      '--ssh-port',
      String(DEV_PORTS.ssh),
    ],
  ]);
  const list = new Checklist();
  const foreground = new Foreground(list);
  let vite: ChildProcess | null = null;
  foreground.onStop = () => vite?.kill('SIGTERM');
  const watch = ['--watch', '--watch-preserve-output'];
  const { result, layout, config } = await up(options, list, (layout_) => foreground.start(layout_, true), {
    logLevel: 'debug',
    nodeArguments: { server: [...watch, `--inspect=${String(values.inspect)}`], edge: watch },
  });
  const backend = originOf(config.domain, config.ports.control);
  vite = spawn(
    process.execPath,
    [
      '--import',
      new URL('localhost-names.ts', import.meta.url).href,
      join(checkout, 'node_modules/vite/bin/vite.js'),
      join(checkout, 'console'),
      '--port',
      String(VITE_PORT),
      '--strictPort',
    ],
    {
      cwd: checkout,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, BERTH_BACKEND: backend, NODE_EXTRA_CA_CERTS: result.caCertificate },
    },
  );
  list.line(`\n  Console (hot reload)  http://localhost:${VITE_PORT}/`);
  list.line(`  API                   ${result.apiUrl}`);
  list.line(`  Debugger              ${String(values.inspect)} (chrome://inspect, or "Attach" in an editor)`);
  if (result.setupCode !== null) list.line(`  Set-up code           ${result.setupCode}`);
  list.line('  Ctrl-C ends everything; instances keep running.\n');
  showLogs(layout.logs, ['agent', 'server', 'edge'], 0, true, (line) => process.stdout.write(`${line}\n`), false);
  await foreground.wait();
  process.exit(0);
}

if (import.meta.main) process.exitCode = await devCommand(process.argv.slice(2));
