/** What left the instances of the mock: the same few destinations for each. */
import type { FlowRow } from '#contract/flows.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';

const HOUR_MS = 3_600_000;
const destinations = [
  ['deb.debian.org', '151.101.2.132', 'tcp', 443, 'allowed', 41, 184_000, 312_400_000],
  ['github.com', '140.82.121.4', 'tcp', 443, 'allowed', 120, 9_800_000, 48_200_000],
  ['registry.npmjs.org', '104.16.24.34', 'tcp', 443, 'allowed', 77, 1_900_000, 96_000_000],
  ['time.example.net', '162.159.200.1', 'udp', 123, 'allowed', 24, 1_824, 1_824],
  [null, '192.168.1.1', 'tcp', 80, 'denied', 3, 0, 0],
  [null, '169.254.169.254', 'tcp', 80, 'denied', 18, 0, 0],
  ['smtp.example.org', '45.60.10.9', 'tcp', 25, 'denied', 6, 0, 0],
  [null, '2606:4700:4700::1111', 'icmp', null, 'allowed', 12, 1_248, 1_248],
] as const;

function rowsOf(state: MockState, instance: InstanceId | undefined): FlowRow[] {
  const now = Date.now();
  return state.instances
    .filter((each) => instance === undefined || each.id === instance)
    .flatMap(({ id, name: instanceName }) =>
      destinations.flatMap(([name, address, protocol, port, verdict, connections, sentBytes, receivedBytes], index) =>
        [0, 5].map((hours) => ({
          instance: { id, name: instanceName },
          address,
          name,
          protocol,
          port,
          verdict,
          connections: Math.ceil(connections / (hours + 1)),
          sentBytes: Math.ceil(sentBytes / (hours + 1)),
          receivedBytes: Math.ceil(receivedBytes / (hours + 1)),
          firstAt: new Date(now - (hours + 0.8) * HOUR_MS).toISOString(),
          lastAt: new Date(now - hours * HOUR_MS - (index + 1) * 90_000).toISOString(),
        })),
      ),
    )
    .sort((a, b) => (a.lastAt < b.lastAt ? 1 : -1));
}

type Query = {
  instance?: InstanceId | undefined;
  name?: string | undefined;
  address?: string | undefined;
  port?: unknown;
  verdict?: string | undefined;
  since?: string | undefined;
};

function matching(state: MockState, query: Query): FlowRow[] {
  return rowsOf(state, query.instance).filter(
    (row) =>
      (query.name === undefined || (row.name ?? '').includes(query.name)) &&
      (query.address === undefined || row.address === query.address) &&
      (query.port === undefined || row.port === Number(query.port)) &&
      (query.verdict === undefined || row.verdict === query.verdict) &&
      (query.since === undefined || row.lastAt >= query.since),
  );
}

export const flowHandlers: Pick<Handlers, 'flowsList' | 'flowsTop' | 'flowsExport'> = {
  flowsList: (state, { query }) => ({ items: matching(state, query).slice(0, 100), nextCursor: null }),
  flowsTop: (state, { query }) => {
    const sums = new Map<
      string,
      { destination: string; connections: number; denied: number; sentBytes: number; receivedBytes: number }
    >();
    for (const row of matching(state, query)) {
      const destination = row.name ?? row.address ?? '';
      const sum = sums.get(destination) ?? { destination, connections: 0, denied: 0, sentBytes: 0, receivedBytes: 0 };
      if (row.verdict === 'allowed') sum.connections += row.connections;
      else sum.denied += row.connections;
      sum.sentBytes += row.sentBytes;
      sum.receivedBytes += row.receivedBytes;
      sums.set(destination, sum);
    }
    const bytes = (sum: { sentBytes: number; receivedBytes: number }) => sum.sentBytes + sum.receivedBytes;
    return { items: [...sums.values()].sort((a, b) => bytes(b) - bytes(a)).slice(0, 10) };
  },
  // One line is enough to see a download.
  flowsExport: (state, { query }) => matching(state, query)[0] as FlowRow,
};
