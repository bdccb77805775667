/** Running the test suites as child processes and counting what they say. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from './layout.ts';

export type SuiteResult = { name: string; passed: number; failed: number; skipped: number; seconds: number };

/** A suite that says nothing for this long gets a line of its own, so that nobody thinks it hangs. */
const SILENCE_MS = 30_000;
/** Exit code of a suite that left processes behind: it does not count as passed. */
const LEFT_RUNNING_CODE = 70;
/** A suite that has ended while something it started still holds its output is waited for this long. */
const LAST_WORDS_MS = 5_000;

type VitestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  success: boolean;
  testResults: { status: string; assertionResults: { status: string }[] }[];
};

/**
 * Counts a Vitest JSON report. A file that could not even be loaded has no failed test in it and still counts as one
 * failure, and so does a run that ended badly for a reason of its own (an unhandled error, no report at all).
 */
export function countReport(
  text: string | null,
  exitCode: number | null,
): { passed: number; failed: number; skipped: number } {
  if (text === null) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(text) as VitestReport;
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  let failed = report.numFailedTests + broken;
  if (failed === 0 && (exitCode !== 0 || !report.success)) failed = 1;
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests };
}

export type SuiteOptions = { timeoutMs: number; print: (line: string) => void; env: NodeJS.ProcessEnv };

/** Runs one Vitest project to its end. */
export function runSuite(project: string, options: SuiteOptions): Promise<SuiteResult> {
  const started = Date.now();
  const dir = mkdtempSync(join(tmpdir(), 'berth-test-'));
  const file = join(dir, 'report.json');
  const vitest = join(checkout, 'node_modules/vitest/vitest.mjs');
  const args = [
    vitest,
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ];
  const say = (line: string) => options.print(`[${project}] ${line}`);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'], env: options.env });
    let spoke = Date.now();
    let rest = '';
    const listen = (chunk: string) => {
      spoke = Date.now();
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') say(line);
    };
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    const beat = setInterval(() => {
      if (Date.now() - spoke < SILENCE_MS) return;
      spoke = Date.now();
      say(`still working, ${Math.round((Date.now() - started) / 1000)} s`);
    }, 1000);
    const timer = setTimeout(() => {
      say(`stopped after ${options.timeoutMs / 60_000} minutes`);
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
    }, options.timeoutMs);
    let ended = false;
    const done = (code: number | null) => {
      if (ended) return;
      ended = true;
      clearInterval(beat);
      clearTimeout(timer);
      const text = existsSync(file) ? readFileSync(file, 'utf8') : null;
      rmSync(dir, { recursive: true, force: true });
      const counted = countReport(text, code);
      resolve({ name: project, ...counted, seconds: (Date.now() - started) / 1000 });
    };
    child.once('error', () => done(127));
    child.once('close', done);
    child.once('exit', (code) => {
      setTimeout(() => {
        if (ended) return;
        say('a process that a test started was left running');
        child.stdout.destroy();
        child.stderr.destroy();
        done(code === 0 ? LEFT_RUNNING_CODE : code);
      }, LAST_WORDS_MS).unref();
    });
  });
}
