import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CutClient } from '#contract/agent.ts';
import { closeCodes } from '#contract/edge.ts';
import type { Knowledge } from './callers.ts';
import { clientPorts, Lines, lineEnd } from './lines.ts';
import type { Caller, EdgeInstance, EdgeRoute } from './state.ts';
import type { Refusal } from './watch.ts';

describe('the end of a connection', () => {
  it('is read from what Caddy says; nonsense is none', () => {
    expect(lineEnd('192.0.2.7', 'HTTP/1.1 50123')).toEqual({ address: '192.0.2.7', port: 50_123, many: false });
    expect(lineEnd('2001:db8::1', 'HTTP/2.0 7')).toEqual({ address: '2001:db8::1', port: 7, many: true });
    for (const line of [
      '',
      ' 5',
      'HTTP/1.1',
      'HTTP/1.1 ',
      'HTTP/1.1 x',
      'HTTP/1.1 0',
      'HTTP/1.1 65536',
      'HTTP/1.1 -1',
    ]) {
      expect([line, lineEnd('192.0.2.7', line)]).toEqual([line, undefined]);
    }
    expect(lineEnd('', 'HTTP/1.1 50123')).toBeUndefined();
  });

  it('is found in the table of the kernel while it is open, at that port only', () => {
    const row = (here: string, there: string, state: string) =>
      `  12: ${here} ${there} ${state} 00000000:00000000 00:0 0`;
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr',
      row('0100007F:01BB', '0100007F:C3CB', '01'),
      row('0000000000000000FFFF00000100007F:01BB', '0000000000000000FFFF00000700A8C0:0050', '08'),
      row('0100007F:01BB', '0100007F:C3CC', '06'),
      row('0100007F:01BB', '00000000:0000', '0A'),
      row('0100007F:01BC', '0100007F:C3CD', '01'),
      '',
    ].join('\n');
    expect(clientPorts(table, 443)).toEqual([50_123, 80]);
  });
});

const instance = { id: 'ins_1', address4: '10.0.0.5' } as EdgeInstance;
const route = {
  id: 'rte_1',
  hostname: 'app.berth.localhost',
  target: 'port',
  port: 8080,
  rules: null,
  visibility: 'private',
  instanceId: 'ins_1',
  enabled: true,
} as EdgeRoute;
const caller = (id: string) => ({ kind: 'session', id, userId: 'usr_1', scopes: null }) as unknown as Caller;
const end = (port: number, many = false) => ({ address: '192.0.2.7', port, many });

describe('I4: lines', () => {
  afterEach(() => vi.useRealTimers());

  function world() {
    vi.useFakeTimers();
    const refusals = new Map<string, Refusal>();
    const routes = new Map([[route.id, route]]);
    const calls: CutClient[][] = [];
    let fails = false;
    let changed = (): void => {};
    const knowledge = {
      now: Date.now,
      state: {
        routeById: (id: string) => routes.get(id),
        instance: () => instance,
        onChange: (listener: () => void) => {
          changed = listener;
          return () => {};
        },
      },
    } as unknown as Knowledge;
    const lines = new Lines({
      knowledge,
      doors: { refusal: (who) => refusals.get(who?.id ?? '') ?? null },
      cut: async (clients) => {
        if (fails) throw new Error('away');
        calls.push([...clients]);
      },
      httpsPort: 443,
      log: { warn: () => {} },
    });
    return {
      lines,
      calls,
      routes,
      revoke: (id: string, code: number = closeCodes.forbidden) => {
        refusals.set(id, { code, reason: 'gone' });
        changed();
      },
      failing: (is: boolean) => {
        fails = is;
      },
      cut: () => calls.flat().map(({ port }) => port),
    };
  }

  it('cuts the connections of whom it concerns, after a moment, once', async () => {
    const { lines, revoke, cut } = world();
    lines.entered(end(1), caller('a'), route, instance);
    lines.entered(end(2), caller('a'), route, instance);
    lines.entered(end(3), caller('b'), route, instance);
    revoke('a');
    expect(cut()).toEqual([]);
    await vi.advanceTimersByTimeAsync(450);
    expect(cut()).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(cut()).toEqual([1, 2]);
    expect(lines.size).toBe(1);
    lines.stop();
  });

  it('one request after the other: what the last one was counts, and one that was refused shows that the answer is there', async () => {
    const { lines, revoke, cut } = world();
    lines.entered(end(1), caller('a'), route, instance);
    lines.entered(end(1), caller('b'), route, instance);
    lines.entered(end(2), caller('a'), route, instance);
    lines.notEntered(end(2));
    lines.entered(end(3), caller('a'), route, instance);
    revoke('a');
    // Within the moment of grace it asks again.
    lines.notEntered(end(3));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(cut()).toEqual([]);
    lines.stop();
  });

  it('many at once: any of them may be under way, whatever came after', async () => {
    const { lines, revoke, cut } = world();
    lines.entered(end(1, true), caller('a'), route, instance);
    lines.entered(end(1, true), caller('b'), route, instance);
    revoke('a');
    lines.notEntered(end(1, true));
    lines.entered(end(1, true), caller('b'), route, instance);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(cut()).toEqual([1]);
    lines.stop();
  });

  it('what merely stopped is left to end; what the agent could not do is asked again', async () => {
    const { lines, revoke, cut, failing } = world();
    lines.entered(end(1), caller('a'), route, instance);
    revoke('a', closeCodes.notRunning);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(cut()).toEqual([]);
    failing(true);
    revoke('a');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(cut()).toEqual([]);
    failing(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(cut()).toEqual([1]);
    lines.stop();
  });

  it('addresses that the kernel is not asked about make nothing else fail', async () => {
    const { lines, revoke, cut } = world();
    lines.entered({ address: 'fe80::1%eth0', port: 9, many: false }, caller('a'), route, instance);
    lines.entered(end(1), caller('a'), route, instance);
    revoke('a');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(cut()).toEqual([1]);
    lines.stop();
  });
});
