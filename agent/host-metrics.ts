/** The host itself, from /proc: processor, memory, its real disks and network cards. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';
import type { Reading } from '#domain/metrics.ts';

/** Ticks of /proc/stat; the same on every Linux that Berth runs on. */
const TICKS_PER_SECOND = 100;
/** /proc/diskstats counts in these, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

export function readHost(): Reading {
  const memory = memoryOf(read('/proc/meminfo'));
  return {
    cpuSeconds: cpuSecondsOf(read('/proc/stat')),
    ...diskBytesOf(read('/proc/diskstats'), realDevices('/sys/block')),
    ...networkBytesOf(read('/proc/net/dev'), realDevices('/sys/class/net')),
    cpuLimit: os.availableParallelism(),
    ...memory,
    processes: null,
  };
}

/** Time spent working: idle and waiting for disks is not, and what other machines took (steal) neither. */
export function cpuSecondsOf(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '')
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

export function memoryOf(meminfo: string): { memoryBytes: number; memoryLimitBytes: number } {
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  const total = of('MemTotal');
  return { memoryBytes: Math.max(0, total - of('MemAvailable')), memoryLimitBytes: total };
}

export function diskBytesOf(
  diskstats: string,
  devices: ReadonlySet<string>,
): { readBytes: number; writtenBytes: number } {
  let readBytes = 0;
  let writtenBytes = 0;
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (!devices.has(fields[2] ?? '')) continue;
    readBytes += Number(fields[5]) * SECTOR_BYTES;
    writtenBytes += Number(fields[9]) * SECTOR_BYTES;
  }
  return { readBytes, writtenBytes };
}

export function networkBytesOf(
  dev: string,
  devices: ReadonlySet<string>,
): { receivedBytes: number; sentBytes: number } {
  let receivedBytes = 0;
  let sentBytes = 0;
  for (const line of dev.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === -1 || !devices.has(line.slice(0, colon).trim())) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    receivedBytes += Number(fields[0]);
    sentBytes += Number(fields[8]);
  }
  return { receivedBytes, sentBytes };
}

/** Disks or cards with hardware behind them: bridges, veths, loops and volumes on top would count bytes twice. */
function realDevices(folder: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of names(folder)) {
    try {
      if (!readlinkSync(`${folder}/${name}`).includes('/virtual/')) found.add(name);
    } catch {
      // It went away meanwhile.
    }
  }
  return found;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
