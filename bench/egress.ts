/**
 * What the rules of people cost a packet: one byte there and back, and a new connection, from a namespace that stands
 * for a guest to one that stands for the internet. Against the same way without that table, and with 10,000 ranges in
 * its sets, with a rule by name whose set is full, and with the count of what leaves; taken in turns, so that a busy moment of the machine hits all of them. Needs root.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { flowTable } from '#agent/flow-table.ts';
import { nft } from '#agent/incus/filters.ts';
import { nameSet } from '#agent/name-sets.ts';
import { policyTable } from '#agent/policy-table.ts';
import { makeId } from '#domain/ids.ts';
import { RANGES_PER_RULE_MAX } from '#domain/network-rules.ts';
import { ADDRESSES_PER_NAME_RULE_MAX } from '#domain/resolver.ts';
import { fakeInternet } from '#testkit/internet.ts';
import { median, percentile, print, round } from './measure.ts';

const run = promisify(execFile);
const TURNS = 7;
const ELEMENTS = 10_000;
const PORT = 7778;
/** Within noise: what one way differs from itself between two turns is more. */
const NOISE_US_MAX = 15;

const ECHO = `
import socket,threading
s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('::',${PORT})); s.listen(100)
def serve(c):
    c.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)
    while True:
        d=c.recv(1)
        if not d: break
        c.sendall(d)
    c.close()
print('up',flush=True)
while True: threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()
`;
/** Median of 1-byte round trips, and of connects, in microseconds. */
const ASK = `
import socket,sys,time,statistics
host=sys.argv[1]
s=socket.create_connection((host,${PORT})); s.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)
trips=[]
for i in range(3000):
    t=time.perf_counter(); s.sendall(b'x'); s.recv(1); trips.append(time.perf_counter()-t)
connects=[]
for i in range(300):
    t=time.perf_counter(); c=socket.create_connection((host,${PORT})); connects.append(time.perf_counter()-t); c.close()
print(statistics.median(trips)*1e6, statistics.median(connects)*1e6)
`;

const tag = randomBytes(4).toString('hex');
const guest = `bthbench-${tag}`;
const bridge = `bth${tag}`;
const table = `berth_bench_${tag}`;
const project = makeId('prj', Date.now(), (bytes) => randomBytes(bytes));
const internet = await fakeInternet({ metadata: false });
const world = spawn('ip', ['netns', 'exec', internet.namespace, 'python3', '-c', ECHO], {
  stdio: ['ignore', 'pipe', 'inherit'],
});

/** A policy whose denials name `elements` ranges that nobody asks for. */
function rulesOf(elements: number): string {
  const ranges = Array.from({ length: elements }, (_, index) => `45.${index >> 8}.${index & 255}.0/25`);
  const rules = [];
  for (let at = 0; at < ranges.length; at += RANGES_PER_RULE_MAX) {
    const part = ranges.slice(at, at + RANGES_PER_RULE_MAX);
    rules.push({ action: 'deny', direction: 'out', protocol: 'any', ports: '', ranges: part } as const);
  }
  const policy = {
    project,
    default: 'allow',
    rules: [...rules],
    connectionsMax: null,
    bytesPerSecondMax: null,
  } as const;
  const body = policyTable(
    {
      projects: [
        {
          ...policy,
          rules: rules.map((rule) => ({ ...rule, ranges: [...rule.ranges], names: [], sets: [], groups: [] })),
        },
      ],
      groups: [],
      instances: [],
    },
    { bridges: new Map([[project, bridge]]), addresses: new Map(), passages: [] },
  );
  return `table inet ${table} {\n${body}\n}\n`;
}

/** A rule that allows a name with as many addresses as there may be, none of them the one that is asked for, and denies. */
function rulesByName(): string {
  const rule = {
    action: 'deny',
    direction: 'out',
    protocol: 'any',
    ports: '',
    ranges: [],
    names: ['example.org'],
    sets: [],
    groups: [],
  } as const;
  const body = policyTable(
    {
      projects: [
        {
          project,
          default: 'allow',
          rules: [{ ...rule, ranges: [], names: [...rule.names], sets: [], groups: [] }],
          connectionsMax: null,
          bytesPerSecondMax: null,
        },
      ],
      groups: [],
      instances: [],
    },
    { bridges: new Map([[project, bridge]]), addresses: new Map(), passages: [] },
  );
  const set = `${nameSet(project, rule.names)}4`;
  const elements = Array.from(
    { length: ADDRESSES_PER_NAME_RULE_MAX },
    (_, index) => `45.1.${index >> 8}.${index & 255} timeout 1h`,
  );
  return `table inet ${table} {\n${body}\n}\nadd element inet ${table} ${set} { ${elements.join(', ')} }\n`;
}

const counted = (): string => `table inet ${table} {\n${flowTable([bridge])}\n}\n`;

async function load(text: string | null): Promise<void> {
  await nft(['delete', 'table', 'inet', table], '');
  if (text === null) return;
  const loaded = await nft(['-f', '-'], text);
  if (!loaded.ok) throw new Error(loaded.stderr);
}

async function measure(): Promise<{ trip: number; connect: number }> {
  const { stdout } = await run('ip', ['netns', 'exec', guest, 'python3', '-c', ASK, internet.public4]);
  const [trip = Number.NaN, connect = Number.NaN] = stdout.trim().split(' ').map(Number);
  return { trip, connect };
}

try {
  await new Promise((resolve) => world.stdout.once('data', resolve));
  await run('ip', ['netns', 'add', guest]);
  await run('ip', ['link', 'add', bridge, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', guest]);
  await run('ip', ['addr', 'add', '11.255.254.1/24', 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
  const inside = (...args: string[]) => run('ip', ['netns', 'exec', guest, 'ip', ...args]);
  await inside('addr', 'add', '11.255.254.2/24', 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await inside('route', 'add', 'default', 'via', '11.255.254.1');

  const ways = { none: null, few: rulesOf(500), many: rulesOf(ELEMENTS), named: rulesByName(), counted: counted() };
  const seen = { none: [], few: [], many: [], named: [], counted: [] } as Record<
    keyof typeof ways,
    { trip: number; connect: number }[]
  >;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const way of Object.keys(ways) as (keyof typeof ways)[]) {
      await load(ways[way]);
      seen[way].push(await measure());
    }
  }
  const trip = (way: keyof typeof ways) => median(seen[way].map((each) => each.trip));
  const connect = (way: keyof typeof ways) => median(seen[way].map((each) => each.connect));
  const spread = (values: readonly number[]) => percentile(values, 0.75) - percentile(values, 0.25);
  const noise = Math.max(NOISE_US_MAX, spread(seen.none.map((each) => each.trip)));
  print({
    name: 'egress',
    goal: `a round trip with ${ELEMENTS} ranges within noise (${round(noise)} us) of none`,
    reached: trip('many') - trip('none') <= noise,
    figures: {
      tripNoneUs: round(trip('none')),
      trip500Us: round(trip('few')),
      trip10000Us: round(trip('many')),
      tripNamedUs: round(trip('named')),
      tripCountedUs: round(trip('counted')),
      connectNoneUs: round(connect('none')),
      connect500Us: round(connect('few')),
      connect10000Us: round(connect('many')),
      connectNamedUs: round(connect('named')),
      connectCountedUs: round(connect('counted')),
      noiseUs: round(noise),
    },
  });
} finally {
  world.kill('SIGKILL');
  await nft(['delete', 'table', 'inet', table], '');
  await run('ip', ['link', 'del', bridge]).catch(() => undefined);
  await run('ip', ['netns', 'del', guest]).catch(() => undefined);
  await internet.close();
}
