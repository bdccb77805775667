/** What a running guest holds in memory and cannot give back, from its cgroup: the engine's own figures are seconds old. */
import { readFileSync } from 'node:fs';

/** Without swap neither of these can be reclaimed; memory file systems count among the anonymous pages. */
const HELD = ['active_anon', 'inactive_anon', 'unevictable'] as const;
/** LXC gives every guest a cgroup of this name, with the whole guest below it. */
const PAYLOAD = /^(.*\/lxc\.payload\.[^/]+)/;

/** In bytes, `pid` being the guest's first process; null when the kernel does not say. */
export function heldMemory(pid: number, proc = '/proc', sys = '/sys/fs/cgroup'): number | null {
  try {
    const stat = memoryStat(readFileSync(`${proc}/${pid}/cgroup`, 'utf8'), sys);
    return stat === null ? null : heldIn(readFileSync(stat, 'utf8'));
  } catch {
    // It stopped meanwhile, or this kernel keeps no account.
    return null;
  }
}

/** The file with a guest's account, of either cgroup version, from the text of /proc/PID/cgroup; null when there is none. */
export function memoryStat(cgroup: string, sys: string): string | null {
  const lines = cgroup.split('\n').map((line) => line.split(':'));
  const v1 = lines.find(([, controllers]) => controllers?.split(',').includes('memory'));
  const path = (v1 ?? lines.find(([id]) => id === '0'))?.[2];
  const payload = path === undefined ? undefined : PAYLOAD.exec(path)?.[1];
  if (payload === undefined) return null;
  return `${sys}${v1 === undefined ? '' : '/memory'}${payload}/memory.stat`;
}

/** Adds up the lines of `memory.stat`; version 1 counts the groups below only in its `total_` lines. */
export function heldIn(stat: string): number | null {
  const figures = new Map(stat.split('\n').map((line) => line.split(' ') as [string, string | undefined]));
  const of = (name: string) => Number(figures.get(`total_${name}`) ?? figures.get(name) ?? Number.NaN);
  const held = HELD.reduce((sum, name) => sum + of(name), 0);
  return Number.isFinite(held) ? held : null;
}
