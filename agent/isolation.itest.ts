/** Root inside a guest against the host and its neighbours: everything in the list of the isolation note must fail. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instanceKinds } from '#domain/instances.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import type { GuestSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';

let agent: TestAgent;
let server: GuestSpec;
let desktop: GuestSpec;
let stranger: GuestSpec;

beforeAll(async () => {
  agent = await startAgent();
  const image = await agent.image();
  const [one, two] = [await agent.network(), await agent.network()];
  server = agent.spec(one, 10, image);
  desktop = agent.spec(one, 11, image, { kind: 'desktop' });
  stranger = agent.spec(two, 10, image);
  for (const guest of [server, desktop, stranger]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  await agent.waitHealthy(server);
  await agent.waitHealthy(stranger);
});
afterAll(async () => agent?.close());

const inside = (guest: GuestSpec, script: string) => agent.inside(guest, ['sh', '-c', script], 60_000);

describe('D6: every instance has a uid range of its own', () => {
  it('disjoint ranges of at least 65536, none of them the host’s', async () => {
    const ranges = (await agent.driver.list())
      .map((guest) => ({ base: guest.uidBase ?? 0, count: guest.uidCount ?? 0 }))
      .sort((a, b) => a.base - b.base);
    expect(ranges).toHaveLength(3);
    for (const [index, range] of ranges.entries()) {
      expect(range.count).toBeGreaterThanOrEqual(65_536);
      expect(range.base).toBeGreaterThanOrEqual(65_536);
      const before = ranges[index - 1];
      if (before !== undefined) expect(range.base).toBeGreaterThanOrEqual(before.base + before.count);
    }
  });

  it('as the kernel sees it', async () => {
    for (const guest of [server, desktop, stranger]) {
      const observed = await agent.driver.observe(guest.instance);
      const [within, outside, count] = (await inside(guest, 'cat /proc/1/uid_map')).stdout
        .trim()
        .split(/\s+/)
        .map(Number);
      expect([within, outside, count]).toEqual([0, observed?.uidBase, observed?.uidCount]);
    }
  });
});

describe('D6: limits', () => {
  it('are seen inside and cannot be raised from inside', async () => {
    const { stdout } = await inside(server, 'nproc; free -m | sed -n 2p');
    expect(stdout).toMatch(/^1\n/);
    expect(Number(stdout.split('\n')[1]?.split(/\s+/)[1])).toBeLessThanOrEqual(512);
    const raise = await inside(
      server,
      'for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpuset.cpus $(find /sys/fs/cgroup -maxdepth 2 -name memory.limit_in_bytes -o -maxdepth 2 -name pids.max -o -maxdepth 2 -name memory.max 2>/dev/null); do [ -e $f ] || continue; (echo max > $f || echo -1 > $f || echo 999999999999 > $f) 2>/dev/null && echo RAISED $f; done; free -m | sed -n 2p',
    );
    // A guest with a delegated cgroup may write its own part of the tree; the limit above it still counts.
    expect(Number(raise.stdout.trim().split('\n').at(-1)?.split(/\s+/)[1])).toBeLessThanOrEqual(512);
    const balloon = await inside(
      server,
      `python3 -c "b=[]\nwhile True: b.append(bytearray(16*1024*1024))"; echo ended $?`,
    );
    expect(balloon.stdout).toMatch(/ended (137|1)/);
    expect((await agent.driver.observe(server.instance))?.memoryUsedBytes).toBeLessThanOrEqual(512 * MIB);
  });

  it('stop a fork bomb at the guest', async () => {
    // Enough memory for every process there may be: this is about their number, and a guest out of memory slows its host.
    await agent.driver.resize(server.instance, { ...server.size, memoryBytes: 3 * GIB });
    const bomb = await inside(
      server,
      'i=0; while [ $i -lt 4300 ]; do sleep 30 & i=$((i+1)); done 2>/tmp/bomb.err; grep -ci -E "fork|resource" /tmp/bomb.err; pkill sleep',
    );
    const observed = await agent.driver.observe(server.instance);
    expect(observed?.processes ?? 0).toBeLessThanOrEqual(4_096);
    expect(bomb.code).not.toBe(-2);
    await agent.driver.power(server.instance, 'restart', { force: true });
    await agent.waitHealthy(server);
    await agent.driver.resize(server.instance, server.size);
  });

  it('stop a full disk at the quota', async () => {
    const { stdout } = await inside(
      server,
      'dd if=/dev/zero of=/root/fill bs=16M count=320 oflag=direct 2>/dev/null; sync; stat -c %s /root/fill; rm -f /root/fill; sync',
    );
    expect(Number(stdout.trim())).toBeLessThan(4 * GIB);
  });
});

/** Writes to this host setting are tried from inside; the host's value must stay. */
const hostSettings = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/panic',
  '/proc/sys/vm/swappiness',
  '/proc/sys/fs/file-max',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/kptr_restrict',
].filter((path) => existsSync(path));

/** Each line is one attempt; it prints ALLOWED when it worked. */
const attempts: [string, string][] = [
  [
    'read the host disk through mknod',
    'mknod /tmp/d b $(cat /sys/dev/block/*/uevent 2>/dev/null | sed -n "s/MAJOR=//p" | head -1) $(cat /sys/dev/block/*/uevent | sed -n "s/MINOR=//p" | head -1) 2>/dev/null; head -c 512 /tmp/d >/dev/null 2>&1 && echo ALLOWED',
  ],
  [
    'read the first virtio disk through mknod',
    'mknod /tmp/d2 b 254 0 2>/dev/null; head -c 512 /tmp/d2 >/dev/null 2>&1 && echo ALLOWED',
  ],
  ['read memory through mknod', 'mknod /tmp/m c 1 1 2>/dev/null; head -c 1 /tmp/m >/dev/null 2>&1 && echo ALLOWED'],
  [
    'mount the host disk',
    'for d in /dev/vda /dev/vda1 /dev/sda /dev/sda1 /dev/nvme0n1 /tmp/d /tmp/d2; do mount -r $d /mnt 2>/dev/null && echo ALLOWED $d; done',
  ],
  ['mount a loop device', 'truncate -s 1M /tmp/l; losetup -f /tmp/l 2>/dev/null && echo ALLOWED'],
  ['mount debugfs', 'mount -t debugfs none /mnt 2>/dev/null && ls /mnt 2>/dev/null | grep -q . && echo ALLOWED'],
  ['mount tracefs', 'mount -t tracefs none /mnt 2>/dev/null && ls /mnt 2>/dev/null | grep -q . && echo ALLOWED'],
  ['mount securityfs', 'mount -t securityfs none /mnt 2>/dev/null && echo ALLOWED'],
  ['mount bpf and load', 'perl -e \'exit(syscall(321, 0, "\\0" x 72, 72) == -1 ? 1 : 0)\' && echo ALLOWED'],
  ['write core_pattern', 'echo "|/tmp/x" > /proc/sys/kernel/core_pattern 2>/dev/null && echo ALLOWED'],
  [
    'write core_pattern after a remount',
    'mount -o remount,rw /proc/sys 2>/dev/null; mount -t proc proc /mnt 2>/dev/null; (echo "|/tmp/x" > /mnt/sys/kernel/core_pattern) 2>/dev/null && echo ALLOWED; umount /mnt 2>/dev/null',
  ],
  ['sysrq', '(echo h > /proc/sysrq-trigger) 2>/dev/null && echo ALLOWED'],
  [
    'release_agent',
    'for c in memory rdma pids devices; do mkdir -p /tmp/cg; mount -t cgroup -o $c none /tmp/cg 2>/dev/null || continue; (echo /tmp/x > /tmp/cg/release_agent) 2>/dev/null && echo ALLOWED $c; umount /tmp/cg; done; for f in $(find /sys/fs/cgroup -name release_agent 2>/dev/null); do (echo /tmp/x > $f) 2>/dev/null && echo ALLOWED $f; done',
  ],
  [
    'write through a remounted /sys',
    'mount -o remount,rw /sys 2>/dev/null; (echo never > /sys/kernel/mm/transparent_hugepage/enabled) 2>/dev/null && echo ALLOWED; (echo 1 > /sys/kernel/profiling) 2>/dev/null && echo ALLOWED',
  ],
  ['uevent helper', '(echo /tmp/x > /sys/kernel/uevent_helper) 2>/dev/null && echo ALLOWED'],
  [
    'load a module',
    'modprobe dummy 2>/dev/null && echo ALLOWED; head -c 4096 /dev/zero > /tmp/x.ko; insmod /tmp/x.ko > /tmp/x.err 2>&1 && echo ALLOWED; grep -i "invalid module format" /tmp/x.err && echo ALLOWED',
  ],
  ['kexec', "perl -e 'exit(syscall(246, 0, 0, 0, 0) == -1 ? 1 : 0)' && echo ALLOWED"],
  ['dmesg', 'dmesg >/dev/null 2>&1 && echo ALLOWED'],
  ['kernel addresses', 'grep -qvE "^0+ " /proc/kallsyms && echo ALLOWED'],
  ['kcore', 'head -c 64 /proc/kcore 2>/dev/null | grep -q . && echo ALLOWED'],
  [
    '/dev/mem and ports',
    '(head -c 1 /dev/mem || head -c 1 /dev/port || head -c 1 /dev/kmem) >/dev/null 2>&1 && echo ALLOWED',
  ],
  ['set the clock', 'date -s "2031-01-01" >/dev/null 2>&1 && echo ALLOWED'],
  ['swap', 'truncate -s 8M /tmp/s; mkswap /tmp/s >/dev/null 2>&1; swapon /tmp/s 2>/dev/null && echo ALLOWED'],
  [
    'open a file of the host by handle',
    'perl -e \'my $h = pack("LLLL", 8, 1, 2, 0); open(my $r, "<", "/"); exit(syscall(304, fileno($r), $h, 0) == -1 ? 1 : 0)\' && echo ALLOWED',
  ],
  [
    'raise its own priority',
    '[ "$(nice -n -20 nice 2>/dev/null)" = -20 ] && echo ALLOWED; chrt -f 99 true 2>/dev/null && echo ALLOWED',
  ],
  [
    'the engine or its socket',
    '[ -e /dev/incus/sock ] && echo ALLOWED; [ -e /var/lib/incus ] && echo ALLOWED; [ -e /run/incus ] && echo ALLOWED',
  ],
  [
    'see processes outside',
    'for p in /proc/[0-9]*/cmdline; do tr "\\0" " " < $p 2>/dev/null; done | grep -E "[i]ncusd|[l]xcfs|[a]gent/main" && echo ALLOWED',
  ],
  [
    'see other guests in the cgroup tree',
    'find /sys/fs/cgroup -maxdepth 4 -name "*ins-*" 2>/dev/null | grep -q . && echo ALLOWED',
  ],
  ['another namespace of process 1 outside', 'nsenter -t 1 -m -- test -e /var/lib/incus 2>/dev/null && echo ALLOWED'],
];

describe.each(instanceKinds)('D6: escape probe as root inside a %s', (kind) => {
  const guest = (): GuestSpec => (kind === 'desktop' ? desktop : server);

  it.each(attempts)('%s fails', async (_, script) => {
    const { stdout } = await inside(guest(), script);
    expect(stdout).not.toContain('ALLOWED');
  });

  it('leaves the host as it was', async () => {
    const before = hostSettings.map((path) => readFileSync(path, 'utf8'));
    for (const path of hostSettings)
      await inside(
        guest(),
        `(echo 7 > ${path}) 2>/dev/null; sysctl -w ${path.slice(10).replaceAll('/', '.')}=7 2>/dev/null`,
      );
    await inside(guest(), 'hostname escaped');
    expect(hostSettings.map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    expect(hostname()).not.toBe('escaped');
  });

  it('still has what a server needs: own mounts, own namespaces, own devices', async () => {
    const { stdout } = await inside(
      guest(),
      'mount -t tmpfs none /mnt && touch /mnt/x && umount /mnt && unshare --user --map-root-user --mount --pid --fork true && echo usable',
    );
    expect(stdout).toContain('usable');
  });
});

describe('A4: the second wall', () => {
  const path = (): string => `/1.0/instances/${server.instance.replace('_', '-')}`;
  const query = (): { project: string } => ({ project: agent.names.project(server.project) });
  const change = (body: object): Promise<unknown> =>
    agent.incus
      .start('PATCH', path(), { query: query(), body })
      .then((started) => agent.incus.wait(started.operation, 30));

  it.each([
    ['privilege', { config: { 'security.privileged': 'true' } }],
    ['a shared uid range', { config: { 'security.idmap.isolated': 'false' } }],
    ['raw LXC configuration', { config: { 'raw.lxc': 'lxc.mount.entry = / mnt none bind 0 0' } }],
    ['a raw id map', { config: { 'raw.idmap': 'both 0 0' } }],
    ['no apparmor', { config: { 'raw.apparmor': 'mount,' } }],
    ['intercepted mounts', { config: { 'security.syscalls.intercept.mount': 'true' } }],
    ['kernel modules', { config: { 'linux.kernel_modules': 'dummy' } }],
    ['a path of the host', { devices: { host: { type: 'disk', source: '/', path: '/mnt' } } }],
    ['a disk of the host', { devices: { host: { type: 'unix-block', source: '/dev/vda' } } }],
    ['a character device', { devices: { host: { type: 'unix-char', source: '/dev/mem' } } }],
    ['a proxy', { devices: { host: { type: 'proxy', listen: 'tcp:0.0.0.0:9999', connect: 'tcp:127.0.0.1:22' } } }],
    ['an unmanaged interface', { devices: { host: { type: 'nic', nictype: 'macvlan', parent: 'eth0' } } }],
    ['a GPU', { devices: { host: { type: 'gpu' } } }],
  ])('the engine project itself refuses %s', async (_, body) => {
    await expect(change(body)).rejects.toThrow();
  });

  it("the engine project refuses another project's bridge", async () => {
    const device = { type: 'nic', network: agent.names.bridge(stranger.project), name: 'eth1' };
    await expect(change({ devices: { other: device } })).rejects.toThrow();
  });
});
