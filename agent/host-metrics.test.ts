import { describe, expect, it } from 'vitest';
import { cpuSecondsOf, diskBytesOf, memoryOf, networkBytesOf, readHost } from './host-metrics.ts';

describe('V11: the host’s own figures', () => {
  it('V11: work is counted; idle, waiting for disks and stolen time are not', () => {
    expect(cpuSecondsOf('cpu  100 20 30 9999 888 4 6 777 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toBe(1.6);
    expect(cpuSecondsOf('')).toBe(0);
  });

  it('V11: memory that can be given back is not used', () => {
    expect(memoryOf('MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n')).toEqual({
      memoryBytes: 600 * 1024,
      memoryLimitBytes: 1000 * 1024,
    });
  });

  it('V11: real disks and cards count, what lies on top of them does not again', () => {
    const disks =
      '   7 0 loop0 1 2 800 4 5 6 900 8 9\n 254 0 vda 1 2 100 4 5 6 50 8 9 10\n 254 1 vda1 1 2 100 4 5 6 50 8\n';
    expect(diskBytesOf(disks, new Set(['vda']))).toEqual({ readBytes: 51_200, writtenBytes: 25_600 });
    const cards =
      'Inter-| Receive | Transmit\n face |bytes\n  eth0: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n veth1:5 1 0 0 0 0 0 0 6 2\n';
    expect(networkBytesOf(cards, new Set(['eth0']))).toEqual({ receivedBytes: 10, sentBytes: 20 });
  });

  it('V11: this machine says something sensible', () => {
    const host = readHost();
    expect(host.cpuSeconds).toBeGreaterThan(0);
    expect(host.memoryBytes).toBeGreaterThan(0);
    expect(host.memoryBytes).toBeLessThan(host.memoryLimitBytes ?? 0);
    expect(host.cpuLimit).toBeGreaterThan(0);
  });
});
