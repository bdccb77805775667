import { expect, it } from 'vitest';
import { countReport } from './suites.ts';

const report = (more: object) =>
  JSON.stringify({ numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, success: true, testResults: [], ...more });

it('sums tests, counts files that could not be loaded, and never calls a broken run good', () => {
  expect(countReport(report({}), 0)).toEqual({ passed: 5, failed: 0, skipped: 1 });
  const broken = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: [{ status: 'failed' }] },
  ];
  expect(countReport(report({ numFailedTests: 1, success: false, testResults: broken }), 1).failed).toBe(2);
  expect(countReport(report({}), 1).failed).toBe(1);
  expect(countReport(report({ success: false }), 0).failed).toBe(1);
  expect(countReport(null, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
