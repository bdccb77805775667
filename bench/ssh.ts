/**
 * `node bench/ssh.ts`: the SSH gateway against the server's own sshd, with the same OpenSSH client, key, cipher and
 * commands: bytes out of a server in one connection, and connections a second (key exchange, sign-in, one command), of
 * several clients at once. Beside them a peer: OpenSSH itself as the hop between (sshd, then ssh to the same sshd), which
 * is what a gateway made of it would do for each byte. In alternating rounds. Needs `./berth login` of the last minutes (a
 * key is added).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished, median, print, removeInstance, round, signedIn } from './measure.ts';

const ROUNDS = 4;
const BYTES = 256 * 1024 ** 2;
const CLIENTS = 4;
const CONNECTIONS = 24;
const GOAL_THROUGHPUT = 0.8;
const GOAL_CONNECTIONS = 0.6;

const { client, project } = await signedIn();
const folder = mkdtempSync(join(tmpdir(), 'berth-bench-ssh-'));

/** Runs to its end and answers how many bytes it wrote. Errors: exit code. */
function run(program: string, args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let bytes = 0;
    let errors = '';
    child.stdout.on('data', (data: Buffer) => {
      bytes += data.length;
    });
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString('utf8');
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(bytes) : reject(new Error(`${program}: ${errors}`))));
  });
}

await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', join(folder, 'key')]);
const publicKey = readFileSync(join(folder, 'key.pub'), 'utf8');
const accepted = await client.call('instancesCreate', {
  params: { project },
  body: { kind: 'server', name: `bench-ssh-${Date.now() % 10_000}` },
});
const { instance } = accepted;
if (instance === null) throw new Error('no instance');
const key = await client.call('sshKeysAdd', { body: { publicKey, label: 'bench' } });
try {
  await finished(client, accepted.operation.id, 200);
  const params = { instance: instance.id };
  await client.call('filesMakeFolder', { params, body: { path: '/home/berth/.ssh' } }).catch(() => undefined);
  await client.call('filesWrite', {
    params,
    query: { path: '/home/berth/.ssh/authorized_keys', upload: 'benchbench', last: 'true', replace: 'true' },
    body: Buffer.from(publicKey),
  });
  const { address4 } = await client.call('instancesGet', { params });
  const { gateway, user } = await client.call('sshAccess', { params });
  if (gateway === null) throw new Error('this installation has no SSH gateway');
  const common = [
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
    ...['-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-c', 'aes128-gcm@openssh.com', '-i', join(folder, 'key')],
  ];
  const ways = {
    gateway: [...common, '-p', String(gateway.port), `${user}@127.0.0.1`],
    direct: [...common, `berth@${address4}`],
  };
  // The key of the second hop; it goes with the server.
  await run('scp', ['-q', ...common, join(folder, 'key'), `berth@${address4}:.ssh/bench`]);
  const hop = ['ssh', ...common.slice(0, -1), '.ssh/bench', 'berth@127.0.0.1', '--'];
  type Way = 'gateway' | 'direct' | 'peer';
  const calls: Record<Way, string[]> = {
    gateway: [...ways.gateway, '--'],
    direct: [...ways.direct, '--'],
    peer: [...ways.direct, '--', ...hop],
  };
  const figures: Record<Way, { throughput: number[]; connections: number[] }> = {
    gateway: { throughput: [], connections: [] },
    direct: { throughput: [], connections: [] },
    peer: { throughput: [], connections: [] },
  };
  for (let index = -1; index < ROUNDS; index++) {
    for (const way of Object.keys(calls) as Way[]) {
      let begun = performance.now();
      const bytes = await run('ssh', [...calls[way], 'head', '-c', String(BYTES), '/dev/zero']);
      const throughput = bytes / 1024 ** 2 / ((performance.now() - begun) / 1000);
      begun = performance.now();
      let left = CONNECTIONS;
      const worker = async (): Promise<void> => {
        while (left-- > 0) await run('ssh', [...calls[way], 'true']);
      };
      await Promise.all(Array.from({ length: CLIENTS }, worker));
      const connections = CONNECTIONS / ((performance.now() - begun) / 1000);
      // The first round only warms up.
      if (index < 0) continue;
      figures[way].throughput.push(throughput);
      figures[way].connections.push(connections);
    }
  }
  const ratio = (what: 'throughput' | 'connections') =>
    round(median(figures.gateway[what]) / median(figures.direct[what]), 2);
  print({
    name: 'ssh',
    goal: `at least ${GOAL_THROUGHPUT * 100} % of sshd's throughput, ${GOAL_CONNECTIONS * 100} % of its connections a second`,
    reached: ratio('throughput') >= GOAL_THROUGHPUT && ratio('connections') >= GOAL_CONNECTIONS,
    figures: {
      gatewayMiBPerSecond: round(median(figures.gateway.throughput)),
      directMiBPerSecond: round(median(figures.direct.throughput)),
      throughputRatio: ratio('throughput'),
      peerMiBPerSecond: round(median(figures.peer.throughput)),
      peerThroughputRatio: round(median(figures.peer.throughput) / median(figures.direct.throughput), 2),
      gatewayConnectionsPerSecond: round(median(figures.gateway.connections)),
      directConnectionsPerSecond: round(median(figures.direct.connections)),
      connectionsRatio: ratio('connections'),
      peerConnectionsPerSecond: round(median(figures.peer.connections)),
      clients: CLIENTS,
    },
  });
} finally {
  await client.call('sshKeysRemove', { params: { key: key.id } }).catch(() => undefined);
  await removeInstance(client, instance);
  rmSync(folder, { recursive: true, force: true });
}
