import { describe, expect, it } from 'vitest';
import { HELP_START, helpFor } from './help.ts';

describe('U5: help of a page', () => {
  it('U5: leads to the page of the documentation about it', () => {
    expect(helpFor('/p/main/instances/new')).toBe('/docs/tutorial/desktop-in-two-minutes');
    expect(helpFor('/p/main/instances/web/metrics')).toBe('/docs/how-to/watch-metrics');
    expect(helpFor('/o/lab/audit')).toBe('/docs/explanation/audit-log');
    expect(helpFor('/platform/audit')).toBe('/docs/explanation/audit-log');
    expect(helpFor('/hosts')).toBe('/docs/how-to/watch-metrics');
  });

  it('U5: a page nobody has written about leads to the start', () => {
    expect(helpFor('/p/main/operations')).toBe(HELP_START);
    expect(helpFor('/')).toBe(HELP_START);
  });
});
