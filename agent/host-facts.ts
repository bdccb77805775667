/** What the host is and has, from its own files: no commands. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import {
  deniedRanges4,
  deniedRanges6,
  expandIp6,
  formatCidr4,
  formatIp4,
  overlaps4,
  parseCidr4,
} from '#domain/addresses.ts';

/** Interfaces that this installation made are left out: their ranges are the allocator's own. */
export type OwnInterface = (name: string) => boolean;

/** The host's addresses outside this installation, loopback and link-local left out. */
export function hostAddresses(own: OwnInterface): string[] {
  const found = new Set<string>();
  for (const [name, entries] of Object.entries(os.networkInterfaces())) {
    if (own(name)) continue;
    for (const entry of entries ?? []) {
      if (entry.internal || entry.address.startsWith('fe80:')) continue;
      found.add(entry.address);
    }
  }
  return [...found].sort();
}

/** Those of `addresses` that the fixed denied ranges do not cover already. */
export function outsideDeniedRanges(addresses: readonly string[]): string[] {
  return addresses.filter((address) => (address.includes(':') ? !inDenied6(address) : !inDenied4(address)));
}

export function inDenied4(address: string): boolean {
  const one = parseCidr4(`${address}/32`);
  return deniedRanges4.some((range) => overlaps4(one, parseCidr4(range)));
}

export function inDenied6(address: string): boolean {
  const groups = expandIp6(address);
  if (groups === null) return true;
  return deniedRanges6.some((range) => {
    const [base = '', bits = '128'] = range.split('/');
    const net = expandIp6(base);
    return net !== null && samePrefix(groups, net, Number(bits));
  });
}

function samePrefix(a: readonly number[], b: readonly number[], bits: number): boolean {
  for (let index = 0; index < 8 && bits > index * 16; index++) {
    const left = Math.min(16, bits - index * 16);
    const mask = (0xffff << (16 - left)) & 0xffff;
    if (((a[index] ?? 0) & mask) !== ((b[index] ?? 0) & mask)) return false;
  }
  return true;
}

/** IPv4 ranges in use outside this installation: routes (except the default one) and interface addresses. */
export function usedRanges4(own: OwnInterface, procNetRoute = readText('/proc/net/route')): string[] {
  const ranges = new Set<string>();
  for (const line of procNetRoute.split('\n').slice(1)) {
    const [name = '', destination = '', , , , , , mask = ''] = line.split(/\s+/);
    if (name === '' || own(name) || !/^[0-9A-F]{8}$/.test(destination) || !/^[0-9A-F]{8}$/.test(mask)) continue;
    const prefix = bitCount(littleEndian(mask));
    if (prefix === 0) continue;
    ranges.add(`${formatIp4(littleEndian(destination))}/${prefix}`);
  }
  for (const [name, entries] of Object.entries(os.networkInterfaces())) {
    if (own(name)) continue;
    for (const entry of entries ?? []) {
      if (entry.family !== 'IPv4' || entry.internal || entry.cidr === null) continue;
      const [address = '', bits = '32'] = entry.cidr.split('/');
      const prefix = Number(bits);
      const step = 2 ** (32 - prefix);
      const base = Math.floor(parseCidr4(`${address}/32`).base / step) * step;
      ranges.add(formatCidr4({ base, prefix }));
    }
  }
  return [...ranges].sort();
}

function littleEndian(hex: string): number {
  const bytes = hex.match(/../g) ?? [];
  return bytes.reverse().reduce((sum, byte) => sum * 256 + Number.parseInt(byte, 16), 0);
}

function bitCount(value: number): number {
  return value.toString(2).replaceAll('0', '').length;
}

export type MachineFacts = {
  hostname: string;
  kernel: string;
  os: string;
  cpus: number;
  memoryBytes: number;
  memoryUsedBytes: number;
  load1: number;
  uptimeSeconds: number;
};

export function machineFacts(): MachineFacts {
  const meminfo = readText('/proc/meminfo');
  const available = Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * 1024;
  const total = os.totalmem();
  return {
    hostname: os.hostname(),
    kernel: os.release(),
    os: /^PRETTY_NAME="?([^"\n]+)/m.exec(readText('/etc/os-release'))?.[1] ?? os.type(),
    cpus: os.cpus().length,
    memoryBytes: total,
    memoryUsedBytes: Math.max(0, total - available),
    load1: os.loadavg()[0] ?? 0,
    uptimeSeconds: Math.floor(os.uptime()),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
