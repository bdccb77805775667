/** Prometheus' own checker of metrics, unpacked from Debian's package and not installed: no service starts. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEPT = '/var/tmp/berth-test-promtool';
const FETCH_MS_MAX = 300_000;

/** Path of promtool; fetched once. Errors: Error when apt cannot. */
async function promtool(): Promise<string> {
  const path = join(KEPT, 'promtool');
  if (existsSync(path)) return path;
  const work = mkdtempSync(join(tmpdir(), 'berth-promtool-'));
  try {
    await run('apt-get', ['download', 'prometheus'], { cwd: work, timeout: FETCH_MS_MAX });
    const file = readdirSync(work).find((name) => name.endsWith('.deb'));
    if (file === undefined) throw new Error('apt has no prometheus');
    await run('dpkg-deb', ['-x', join(work, file), join(work, 'root')]);
    mkdirSync(KEPT, { recursive: true });
    // By way of a copy beside it: /tmp may be another file system.
    await run('cp', [join(work, 'root/usr/bin/promtool'), `${path}.new`]);
    renameSync(`${path}.new`, path);
    return path;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What `promtool check metrics` has to say against a text in Prometheus' format; empty when nothing. */
export async function checkMetrics(text: string): Promise<string> {
  const child = spawn(await promtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (part) => {
    said += String(part);
  });
  child.stderr.on('data', (part) => {
    said += String(part);
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  child.stdin.end(text);
  return (await code) === 0 ? said.trim() : `refused: ${said}`;
}
