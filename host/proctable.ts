/**
 * The process table, read from /proc. A pid alone proves nothing (it is reused, and where pid 1 does not reap a dead
 * process stays as a zombie): a process is named by pid and start time together.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export type ProcessInfo = {
  pid: number;
  ppid: number;
  /** One letter of the kernel: R, S, D, Z ... */
  state: string;
  /** Clock ticks since boot. */
  startTime: number;
  /** Resident memory in pages of 4096 bytes. */
  residentPages: number;
};

/** What is known about a pid; null when there is no such process. A zombie is returned with state 'Z'. */
export function processInfo(pid: number): ProcessInfo | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command between parentheses may hold spaces and parentheses itself: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      pid,
      state: fields[0] ?? '?',
      ppid: Number(fields[1]),
      startTime: Number(fields[19]),
      residentPages: Number(fields[21]),
    };
  } catch {
    return null;
  }
}

/** True when the process runs; a zombie does not. With `startTime`, only when it is still the same process. */
export function isRunning(pid: number, startTime?: number): boolean {
  const info = processInfo(pid);
  if (info === null || info.state === 'Z' || info.state === 'X') return false;
  return startTime === undefined || info.startTime === startTime;
}

export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

export function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

export function executable(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}

/** Sends a signal unless the process is gone or its pid belongs to another one by now. */
export function signalProcess(pid: number, startTime: number, signal: NodeJS.Signals): boolean {
  if (!isRunning(pid, startTime)) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Polls until the process ended; false when it still runs after `timeoutMs`. */
export async function waitForEnd(pid: number, startTime: number, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (isRunning(pid, startTime)) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
