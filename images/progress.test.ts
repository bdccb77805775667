import { expect, it } from 'vitest';
import { type BuildProgress, ProgressMeter } from './progress.ts';

function follow(lines: string[]): BuildProgress[] {
  const seen: BuildProgress[] = [];
  const meter = new ProgressMeter((progress) => seen.push(progress));
  for (const line of lines) meter.line(line);
  return seen;
}

const round = (verb: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${verb} pkg${index} (1) ...`);

it('U6: progress counts packages, goes through the phases in order and never falls', () => {
  const seen = follow([
    'I: running apt-get update...',
    '0 upgraded, 5 newly installed, 0 to remove and 0 not upgraded.',
    ...round('Unpacking', 5),
    'I: installing remaining packages inside the chroot...',
    '0 upgraded, 20 newly installed, 0 to remove and 0 not upgraded.',
    ...Array.from({ length: 20 }, (_, index) => `Get:${index + 1} http://m.test pkg${index}`),
    ...round('Unpacking', 20),
    ...round('Setting up', 20),
  ]);
  expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['resolve', 'download', 'unpack', 'configure']);
  const percents = seen.map(({ percent }) => percent);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect(percents.at(-1)).toBe(75);
  const halfUnpacked = seen.find(({ line }) => line.startsWith('Unpacking pkg9') && line.length > 0);
  expect(halfUnpacked?.percent).toBeLessThan(60);
});

it('U6: a cached download does not hold the percentage back', () => {
  const seen = follow([
    'I: installing remaining packages inside the chroot...',
    '0 upgraded, 4 newly installed, 0 to remove and 0 not upgraded.',
    ...round('Unpacking', 4),
  ]);
  expect(seen.at(-1)).toMatchObject({ phase: 'unpack', percent: 60 });
});

it('U6: steps outside stay within their phase', () => {
  const seen: BuildProgress[] = [];
  const meter = new ProgressMeter((progress) => seen.push(progress));
  meter.step('customise', 7, 'too much');
  meter.step('pack', -1, 'too little');
  meter.step('pack', 1, 'done');
  expect(seen.map(({ percent }) => percent)).toEqual([92, 92, 100]);
});
