import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeId } from '#domain/ids.ts';
import { KeyedLocks } from './locks.ts';
import { AgentState } from './state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const project = (byte: number) => makeId('prj', 1, () => new Uint8Array(16).fill(byte));

describe('agent state', () => {
  it('A5: remembers allowed images and networks, readable by root alone', () => {
    const state = new AgentState(folder);
    state.allow(['a'.repeat(64), 'b'.repeat(64), 'a'.repeat(64)]);
    state.putNetwork({ project: project(1), subnet4: '10.64.1.0/24', subnet6: 'fd42:1:2:1::/64' });
    expect(statSync(join(folder, 'state.json')).mode & 0o777).toBe(0o600);
    const again = new AgentState(folder);
    expect(again.isAllowed('a'.repeat(64))).toBe(true);
    expect(again.isAllowed('c'.repeat(64))).toBe(false);
    expect(again.network(project(1))?.subnet4).toBe('10.64.1.0/24');
    again.disallow('a'.repeat(64));
    expect(new AgentState(folder).isAllowed('a'.repeat(64))).toBe(false);
    expect(new AgentState(folder).isAllowed('b'.repeat(64))).toBe(true);
    again.dropNetwork(project(1));
    expect(new AgentState(folder).networks).toEqual([]);
  });

  it('refuses one subnet for two projects', () => {
    const state = new AgentState(folder);
    state.putNetwork({ project: project(1), subnet4: '10.64.1.0/24', subnet6: 'fd42:1:2:1::/64' });
    expect(() =>
      state.putNetwork({ project: project(2), subnet4: '10.64.1.0/24', subnet6: 'fd42:1:2:2::/64' }),
    ).toThrow(/subnet/);
    expect(() =>
      state.putNetwork({ project: project(2), subnet4: '10.64.2.0/24', subnet6: 'fd42:1:2:1::/64' }),
    ).toThrow(/subnet/);
  });

  it('does not start over when its file is damaged', () => {
    writeFileSync(join(folder, 'state.json'), '{"version":1,"allowed":"everything","networks":[]}');
    expect(() => new AgentState(folder)).toThrow();
    writeFileSync(join(folder, 'state.json'), '{');
    expect(() => new AgentState(folder)).toThrow();
  });
});

describe('keyed locks', () => {
  it('run one after the other per key, side by side for two keys, and go on after a failure', async () => {
    const locks = new KeyedLocks();
    const order: string[] = [];
    const job = (key: string, name: string, turns: number, fail = false) =>
      locks.run(key, async () => {
        order.push(`${name} in`);
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        order.push(`${name} out`);
        if (fail) throw new Error(name);
      });
    const all = [job('x', 'a', 20, true).catch(() => undefined), job('x', 'b', 5), job('y', 'c', 1), job('x', 'd', 1)];
    await Promise.all(all);
    expect(order.filter((entry) => !entry.startsWith('c'))).toEqual([
      'a in',
      'a out',
      'b in',
      'b out',
      'd in',
      'd out',
    ]);
    expect(order.indexOf('c out')).toBeLessThan(order.indexOf('a out'));
  });
});
