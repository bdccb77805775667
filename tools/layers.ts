/** Checks the import table and the ban on shells over every source file: `node tools/layers.ts`. Exit code 1 on a finding. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importsOf, withoutComments } from './imports.ts';
import { layerTable, wiringFiles } from './layer-table.ts';

const SKIPPED = new Set(['node_modules', 'dist', '.git']);
const isTest = (file: string) =>
  /\.(test|itest|e2e)\.tsx?$/.test(file) || /(^|\/)(fixtures|test-helpers?)\//.test(file);

/** The rule's name for a file: 'server/store' of 'server/store/x.ts'; null outside every room. */
export function roomOf(file: string): string | null {
  let best: string | null = null;
  for (const room of Object.keys(layerTable)) {
    if ((file === room || file.startsWith(`${room}/`)) && (best === null || room.length > best.length)) best = room;
  }
  return best;
}

/** Why `file` may not import `specifier`; null when it may. Paths are relative to the checkout, with slashes. */
export function importProblem(file: string, specifier: string): string | null {
  const room = roomOf(file);
  if (room === null || wiringFiles.includes(file) || isTest(file)) return null;
  const rule = layerTable[room];
  if (rule === undefined) return null;
  const inner = specifier.startsWith('#')
    ? specifier.slice(1)
    : specifier.startsWith('.')
      ? posix.join(posix.dirname(file), specifier)
      : null;
  if (inner === null) {
    if (rule.packages === null) return null;
    const name = specifier.startsWith('node:') ? 'node:' : specifier;
    return rule.packages.includes(name) ? null : `${room} may not use the package ${specifier}`;
  }
  const target = roomOf(inner);
  if (target === null || target === room || rule.rooms.includes('*')) return null;
  const allowed = rule.rooms.some((name) => inner === name || name === target || inner.startsWith(`${name}/`));
  return allowed ? null : `${room} may not import ${target} (${specifier})`;
}

/** Ways to a shell; none is allowed anywhere. */
export function shellProblems(source: string): string[] {
  const text = withoutComments(source);
  const problems: string[] = [];
  // A recipe may call one of its own fields 'shell'; only options of child processes matter.
  if (/child_process|\bspawn\(|execFile\(/.test(text) && /\bshell:\s*(true|['"])/.test(text))
    problems.push('shell: true');
  const imported = /import\s*\{([^}]*)\}\s*from\s*['"](?:node:)?child_process['"]/.exec(text)?.[1] ?? '';
  if (/(^|[\s,])(exec|execSync)(?=[\s,]|$)/.test(imported)) problems.push('exec or execSync of node:child_process');
  if (/\bchildProcess\.(exec|execSync)\(|\bchild_process\.(exec|execSync)\(/.test(text))
    problems.push('exec of child_process');
  return problems;
}

export function sourceFiles(root: string, dir = root): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith('.')) return [];
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return /^dist\./.test(entry.name) ? [] : sourceFiles(root, path);
    return /\.tsx?$/.test(entry.name) ? [relative(root, path).replaceAll('\\', '/')] : [];
  });
}

if (import.meta.main) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const files = sourceFiles(root);
  const findings: string[] = [];
  for (const file of files) {
    const source = readFileSync(join(root, file), 'utf8');
    for (const specifier of importsOf(source)) {
      const problem = importProblem(file, specifier);
      if (problem !== null) findings.push(`${file}: ${problem}`);
    }
    for (const problem of shellProblems(source)) {
      if (!file.startsWith('tools/')) findings.push(`${file}: no shell: ${problem}`);
    }
  }
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(`layers: ${files.length} files, ${findings.length} findings\n`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
