import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { toBerthError } from '#domain/errors.ts';
import { buildImage, machineArch } from './build.ts';
import { recipeHash } from './recipe-files.ts';
import { isRecipeName, recipeNames, recipes } from './recipes.ts';

const usage = `usage: node images/main.ts list
       node images/main.ts build <name> --work-dir DIR [--fresh] [--verbose]`;

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      'work-dir': { type: 'string' },
      fresh: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const [command, name] = positionals;
  if (command === 'list') {
    for (const known of recipeNames) {
      process.stdout.write(`${known}\t${recipeHash(recipes[known], machineArch())}\t${recipes[known].description}\n`);
    }
    return 0;
  }
  if (command !== 'build' || !name || !values['work-dir']) {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  if (!isRecipeName(name)) {
    process.stderr.write(`There is no recipe "${name}". Known: ${recipeNames.join(', ')}.\n`);
    return 2;
  }
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort(new Error('stopped')));
  const started = performance.now();
  let shown = '';
  const built = await buildImage({
    name,
    workDir: resolve(values['work-dir']),
    arch: machineArch(),
    cache: !values.fresh,
    signal: abort.signal,
    onProgress: ({ phase, percent, line }) => {
      const step = `${phase} ${Math.floor(percent / 5) * 5}%`;
      if (!values.verbose && step === shown) return;
      shown = step;
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
      process.stderr.write(`${seconds}s ${percent.toFixed(1).padStart(5)}% ${phase.padEnd(9)} ${line}\n`);
    },
  });
  const { packages, ...summary } = built;
  process.stdout.write(`${JSON.stringify({ ...summary, packages: packages.length }, null, 2)}\n`);
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const known = toBerthError(error);
    process.stderr.write(`${known.message}\n${known.detail ?? ''}\n`);
    process.exitCode = 1;
  },
);
