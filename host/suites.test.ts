import { expect, it } from 'vitest';
import { countReport, type Ended, filesToRunAgain, mergeRuns, RERUN_FILES_MAX } from './suites.ts';

const report = (more: object) =>
  JSON.stringify({ numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, success: true, testResults: [], ...more });

it('sums tests, counts files that could not be loaded, and never calls a broken run good', () => {
  expect(countReport({ report: report({}), code: 0 })).toEqual({ passed: 5, failed: 0, skipped: 1 });
  const broken = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: [{ status: 'failed' }] },
  ];
  expect(
    countReport({ report: report({ numFailedTests: 1, success: false, testResults: broken }), code: 1 }).failed,
  ).toBe(2);
  expect(countReport({ report: report({}), code: 1 }).failed).toBe(1);
  expect(countReport({ report: report({ success: false }), code: 0 }).failed).toBe(1);
  expect(countReport({ report: null, code: 1 })).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

const file = (name: string, ...tests: string[]) => ({
  name,
  status: tests.some((test) => test.startsWith('failed')) ? 'failed' : 'passed',
  assertionResults: tests.map((test) => ({ status: test.split(' ')[0], fullName: test.split(' ')[1] })),
});
const run = (...files: ReturnType<typeof file>[]): Ended => {
  const tests = files.flatMap((each) => each.assertionResults);
  const count = (status: string) => tests.filter((test) => test.status === status).length;
  const success = count('failed') === 0 && files.every((each) => each.status === 'passed');
  const counts = { numPassedTests: count('passed'), numFailedTests: count('failed'), numPendingTests: 0 };
  return { report: report({ ...counts, success, testResults: files }), code: success ? 0 : 1 };
};

it('runs few failed files once more, and never what no test accounts for', () => {
  const bad = (name: string) => file(name, 'failed t', 'passed u');
  expect(filesToRunAgain(run(file('a', 'passed t')))).toEqual([]);
  expect(filesToRunAgain(run(file('a', 'passed t'), bad('b')))).toEqual(['b']);
  expect(filesToRunAgain(run(...Array.from({ length: RERUN_FILES_MAX + 1 }, (_, at) => bad(`f${at}`))))).toEqual([]);
  expect(filesToRunAgain(run({ ...file('a'), status: 'failed' }))).toEqual([]);
  expect(filesToRunAgain({ report: null, code: 1 })).toEqual([]);
});

it('names what passed only at the second run, and counts as failed what fails again or did not run', () => {
  const first = run(file('a', 'passed t'), file('b', 'failed t', 'passed u'));
  expect(mergeRuns(first, run(file('b', 'passed t', 'passed u')))).toEqual({
    passed: 3,
    failed: 0,
    skipped: 0,
    unsteady: ['b > t'],
  });
  expect(mergeRuns(first, run(file('b', 'failed t', 'passed u')))).toMatchObject({
    passed: 2,
    failed: 1,
    unsteady: [],
  });
  expect(mergeRuns(first, run(file('b', 'passed t', 'failed u')))).toMatchObject({ passed: 2, failed: 1 });
  expect(mergeRuns(first, run(file('b', 'passed t'))).failed).toBe(1);
  expect(mergeRuns(first, run()).failed).toBeGreaterThan(0);
  expect(mergeRuns(first, { report: null, code: 1 }).failed).toBe(1);
  expect(mergeRuns(first, { ...run(file('b', 'passed t', 'passed u')), code: 1 }).failed).toBe(1);
});
