/**
 * `node bench/start.ts`: how long a warm `./berth up --detach` takes: once with everything running (it is adopted), once
 * after `./berth down` (every process starts). Images are built, packages are there.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installation, LAUNCHER, median, print, round } from './measure.ts';

const run = promisify(execFile);
const ROUNDS = 3;
const GOAL_SECONDS = 5;

const { dataDir } = installation();
const up = async (): Promise<number> => {
  const before = performance.now();
  await run(LAUNCHER, ['up', '--yes', '--detach', '--json', '--data-dir', dataDir]);
  return (performance.now() - before) / 1000;
};
const adopted: number[] = [];
const started: number[] = [];
await up();
for (let index = 0; index < ROUNDS; index++) {
  adopted.push(await up());
  await run(LAUNCHER, ['down', '--data-dir', dataDir]);
  started.push(await up());
}
print({
  name: 'start',
  goal: `at most ${GOAL_SECONDS} s after down`,
  reached: median(started) <= GOAL_SECONDS,
  figures: { rounds: ROUNDS, adoptedSeconds: round(median(adopted), 2), afterDownSeconds: round(median(started), 2) },
});
