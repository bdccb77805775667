import { describe, expect, it } from 'vitest';
import { importsOf } from './imports.ts';
import { importProblem, shellProblems } from './layers.ts';

describe('the import scanner', () => {
  it('finds static, multi-line, type, re-exported and dynamic imports, and no comments or strings', () => {
    const source = `
      import a from 'a';
      import {
        b,
        c,
      } from "./b.ts";
      import type { D } from '#domain/d.ts';
      export { e } from './e.ts';
      import './side-effect.ts';
      const f = await import('./f.ts');
      // import x from 'comment';
      /* import y from 'block'; */
      const text = \`
      import z from 'template';
      \`;
    `;
    expect(importsOf(source).sort()).toEqual(
      ['#domain/d.ts', './b.ts', './e.ts', './f.ts', './side-effect.ts', 'a'].sort(),
    );
  });
});

describe('the import table', () => {
  it.each([
    ['domain/a.ts', 'zod'],
    ['domain/a.ts', '#contract/x.ts'],
    ['contract/a.ts', 'fastify'],
    ['server/http/a.ts', '#server/store/a.ts'],
    ['server/store/a.ts', '../app/a.ts'],
    ['server/app/a.ts', '#drivers/agent/driver.ts'],
    ['edge/a.ts', '#server/store/a.ts'],
    ['console/a.tsx', '#server/app/a.ts'],
    ['agent/a.ts', '#edge/b.ts'],
    ['host/a.ts', '#server/store/migrate.ts'],
    ['host/a.ts', '#edge/state.ts'],
    ['operator/a.ts', '#server/store/a.ts'],
  ])('%s may not import %s', (file, specifier) => {
    expect(importProblem(file, specifier)).not.toBeNull();
  });

  it.each([
    ['domain/a.ts', './b.ts'],
    ['contract/a.ts', '#domain/a.ts'],
    ['server/http/a.ts', '../app/a.ts'],
    ['server/workflows/a.ts', '#drivers/interface.ts'],
    ['server/main.ts', '#drivers/agent/driver.ts'],
    ['host/a.ts', '#edge/caddy.ts'],
    ['host/a.test.ts', '#server/store/migrate.ts'],
    ['edge/a.ts', 'ws'],
  ])('%s may import %s', (file, specifier) => {
    expect(importProblem(file, specifier)).toBeNull();
  });
});

describe('the ban on shells', () => {
  it('finds exec, execSync and shell: true, and leaves execFile and spawn alone', () => {
    expect(shellProblems("import { exec } from 'node:child_process';")).toHaveLength(1);
    expect(shellProblems("import { spawn, execSync } from 'node:child_process';")).toHaveLength(1);
    expect(shellProblems('spawn(a, b, { shell: true });')).toHaveLength(1);
    expect(shellProblems("import { execFile, spawn } from 'node:child_process'; pattern.exec(text);")).toEqual([]);
  });
});
