import react from '@vitejs/plugin-react';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const exclude = [...configDefaults.exclude, '**/dist/**', 'console/**'];

/** What takes minutes begins first, beside everything else, instead of alone at the end. */
const long = ['server/workflows/kill.itest.ts', 'ssh-gateway/gateway.itest.ts'];
const isLong = (file: TestSpecification) => long.some((name) => file.moduleId.endsWith(name));

/** By name: whole-system tests share one stack, and the first of them sets it up. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((a, b) => Number(isLong(b)) - Number(isLong(a)) || a.moduleId.localeCompare(b.moduleId));
  }
}

/**
 * Four suites. `unit` is pure and fast; `console` renders React; `integration` uses the real
 * PostgreSQL, Incus and Caddy of this machine, so only two files run at a time; `e2e` drives whole stacks, one by one.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: ByName },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude,
          pool: 'threads',
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        plugins: [react()],
        test: {
          name: 'console',
          root: './console',
          include: ['**/*.test.{ts,tsx}'],
          exclude: [...configDefaults.exclude, '**/dist/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['**/*.itest.ts'],
          exclude,
          pool: 'forks',
          maxWorkers: 2,
          globalSetup: ['./testkit/postgres-setup.ts', './testkit/compiled-setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          exclude,
          pool: 'forks',
          maxWorkers: 1,
          fileParallelism: false,
          globalSetup: ['./e2e/global-setup.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
