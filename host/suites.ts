/** Running the test suites as child processes and counting what they say. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from './layout.ts';

export type SuiteResult = {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  /** Tests that failed among all the others and passed when their file ran again alone: to be looked into. */
  unsteady: string[];
};

/** A suite that says nothing for this long gets a line of its own, so that nobody thinks it hangs. */
const SILENCE_MS = 30_000;
/** Exit code of a suite that left processes behind: it does not count as passed. */
const LEFT_RUNNING_CODE = 70;
/**
 * So many files that failed are run once more, alone: on a shared machine a test can starve beside others. What is broken
 * fails again; what passes is named at the end. More files than this are no accident, and nothing is run again.
 */
export const RERUN_FILES_MAX = 2;
/** A suite that has ended while something it started still holds its output is waited for this long. */
const LAST_WORDS_MS = 5_000;

type VitestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  success: boolean;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
};

type Counts = { passed: number; failed: number; skipped: number };
/** How one run of Vitest ended: its JSON report (null: none was written) and its exit code (null: killed). */
export type Ended = { report: string | null; code: number | null };

/**
 * Counts a Vitest JSON report. A file that could not even be loaded has no failed test in it and still counts as one
 * failure, and so does a run that ended badly for a reason of its own (an unhandled error, no report at all).
 */
export function countReport({ report: text, code }: Ended): Counts {
  if (text === null) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(text) as VitestReport;
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  let failed = report.numFailedTests + broken;
  if (failed === 0 && (code !== 0 || !report.success)) failed = 1;
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests };
}

export type SuiteOptions = { timeoutMs: number; print: (line: string) => void; env: NodeJS.ProcessEnv };

/** The files of a run that are worth another try: few, and with tests that failed. Empty: the run stands as it is. */
export function filesToRunAgain({ report: text }: Ended): string[] {
  if (text === null) return [];
  const failed = (JSON.parse(text) as VitestReport).testResults.filter((file) => file.status === 'failed');
  const told = failed.every((file) => file.assertionResults.some((test) => test.status === 'failed'));
  return told && failed.length <= RERUN_FILES_MAX ? failed.map((file) => file.name) : [];
}

/**
 * The first run with the second one in the place of the files that ran again. A failure of the first run that no test
 * accounts for (an unhandled error) stays one, and so does a test that the second run did not come to.
 */
export function mergeRuns(first: Ended, again: Ended): Counts & { unsteady: string[] } {
  const before = countReport(first);
  const now = countReport(again);
  if (first.report === null || again.report === null) return { ...before, unsteady: [] };
  const files = filesToRunAgain(first);
  const tests = (report: string, status: string) =>
    (JSON.parse(report) as VitestReport).testResults
      .filter((file) => files.includes(file.name))
      .flatMap((file) => file.assertionResults.map((test) => ({ file: file.name, ...test })))
      .filter((test) => test.status === status)
      .map((test) => `${test.file} > ${test.fullName}`);
  const failed = tests(first.report, 'failed');
  const passedNow = new Set(tests(again.report, 'passed'));
  const unsteady = failed.filter((test) => passedNow.has(test));
  const missing = [...failed, ...tests(first.report, 'passed')].length - passedNow.size - now.failed;
  return {
    passed: before.passed - tests(first.report, 'passed').length + passedNow.size,
    failed: before.failed - failed.length + now.failed + Math.max(0, missing),
    skipped: before.skipped,
    unsteady,
  };
}

/** Runs one Vitest project to its end, and what failed in it once more (RERUN_FILES_MAX). */
export async function runSuite(project: string, options: SuiteOptions): Promise<SuiteResult> {
  const started = Date.now();
  const first = await runVitest(project, [], options);
  const files = filesToRunAgain(first);
  const result: Counts & { unsteady: string[] } = { ...countReport(first), unsteady: [] };
  if (files.length > 0) {
    options.print(`[${project}] once more, alone: ${files.join(' ')}`);
    Object.assign(result, mergeRuns(first, await runVitest(project, files, options)));
  }
  return { name: project, ...result, seconds: (Date.now() - started) / 1000 };
}

function runVitest(project: string, files: readonly string[], options: SuiteOptions): Promise<Ended> {
  const started = Date.now();
  const dir = mkdtempSync(join(tmpdir(), 'berth-test-'));
  const file = join(dir, 'report.json');
  const vitest = join(checkout, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--project', project, ...files, '--passWithNoTests'];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`);
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
      const report = existsSync(file) ? readFileSync(file, 'utf8') : null;
      rmSync(dir, { recursive: true, force: true });
      resolve({ report, code });
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
