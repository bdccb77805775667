/** Backups with the real engine and the real restic: what they carry, what they take, and what is left when something is killed. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { IncusInstance } from '#agent/incus/types.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import type { BackupProgress, BackupRef, GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';

const run = promisify(execFile);
/** Each call of restic takes half a second of a processor for its key alone, and more on a busy machine. */
vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });
let agent: TestAgent;
let network: NetworkSpec;
let image: string;
let source: GuestSpec;
let first: BackupRef;
let hostNumber = 10;

const quiet = (_: BackupProgress): void => undefined;
const newRepository = () =>
  ({
    repository: testId('vlt'),
    place: { type: 'local' },
    password: randomBytes(32).toString('base64url'),
  }) as const;
const folderOf = (ref: Pick<BackupRef, 'repository'>): string => join(agent.folder, 'backups', ref.repository);
const inside = async (guest: GuestSpec, script: string): Promise<string> => {
  const { code, stdout, stderr } = await agent.inside(guest, ['sh', '-c', script], 60_000);
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
};
/** Its disk, as the host has it. */
const rootOf = (guest: GuestSpec): string =>
  `/var/lib/incus/storage-pools/bth-${agent.installation}/containers/${agent.names.project(guest.project)}_${guest.instance.replace('_', '-')}/rootfs`;
const python = async (guest: GuestSpec, script: string): Promise<string> =>
  (await run('python3', ['-c', script, rootOf(guest)], { maxBuffer: 16 * MIB })).stdout.trim();
/** What cannot be made smaller. */
const noise = (guest: GuestSpec, mebibytes: number) =>
  run('dd', ['if=/dev/urandom', `of=${join(rootOf(guest), 'srv/large')}`, 'bs=1M', `count=${mebibytes}`]);
const quietly = (guest: GuestSpec): void => rmSync(join(rootOf(guest), 'srv/large'), { force: true });
const newGuest = () => agent.spec(network, hostNumber++, image);

/** Engine snapshots of a guest that backups are made from. */
async function frozen(guest: GuestSpec): Promise<string[]> {
  const found = await agent.incus.call<IncusInstance>('GET', `/1.0/instances/${guest.instance.replace('_', '-')}`, {
    query: { project: agent.names.project(guest.project), recursion: 1 },
  });
  return (found.snapshots ?? []).map((snapshot) => snapshot.name).filter((name) => name.startsWith('cpy-'));
}

/** Programs of restic that work on a repository. */
async function running(ref: Pick<BackupRef, 'repository'>): Promise<number[]> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => {
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv.includes('restic') && argv.some((arg) => arg.endsWith(ref.repository));
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function until<T>(look: () => Promise<T | null | false>, ms = 120_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Everything that a backup has to carry. */
const MAKE = `
import os, struct, socket, sys, glob
root = sys.argv[1]
def program(pattern, to):
  found = glob.glob(root + pattern)
  open(to, 'wb').write(open(found[0], 'rb').read() if found else b'x')
os.makedirs(root + '/srv/tree/pg', exist_ok=True); os.chdir(root + '/srv/tree')
open('plain','w').write('hello'); os.chown('plain', 1000, 1001); os.chmod('plain', 0o640)
open('far','w').write('x'); os.chown('far', 65534, 65000)
open('pg/PG_VERSION','w').write('17'); os.chown('pg/PG_VERSION', 113, 120); os.chmod('pg/PG_VERSION', 0o600)
os.chown('pg', 113, 120); os.chmod('pg', 0o700)
program('/usr/bin/id', 'setuid'); os.chown('setuid', 0, 1001); os.chmod('setuid', 0o6755)
program('/usr/bin/python3.*', 'bind'); os.chown('bind', 0, 0); os.chmod('bind', 0o755)
os.setxattr('bind', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))
open('acl','w').write('a'); os.chown('acl', 1000, 1000)
entry = lambda tag, perm, who=0xffffffff: struct.pack('<HHI', tag, perm, who)
os.setxattr('acl', 'system.posix_acl_access', struct.pack('<I', 2) + entry(1,6) + entry(2,4,1002) + entry(4,4) + entry(0x10,6) + entry(0x20,0))
os.setxattr('plain', 'user.note', b'kept')
os.link('plain', 'hard'); os.symlink('../nowhere', 'dangling'); os.lchown('dangling', 1003, 1003)
os.mkfifo('fifo', 0o622); os.chown('fifo', 1004, 1004)
os.makedirs('sticky', exist_ok=True); os.chmod('sticky', 0o1777)
open('name with \\xe4 and \\n','w').write('odd')
s = socket.socket(socket.AF_UNIX); s.bind('listening')
open('noise','wb').write(os.urandom(4 << 20))
os.utime('plain', ns=(1700000000123456789, 1600000000987654321))
os.sync()
`;
const LOOK = `
import os, hashlib, stat, sys
out = {}
os.chdir(sys.argv[1] + '/srv/tree')
for folder, dirs, files in os.walk('.'):
  for name in sorted(dirs + files):
    p = os.path.join(folder, name); s = os.lstat(p)
    if stat.S_ISSOCK(s.st_mode): continue
    x = {k: os.getxattr(p, k, follow_symlinks=False).hex() for k in sorted(os.listxattr(p, follow_symlinks=False))}
    body = hashlib.sha256(open(p,'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else os.readlink(p) if stat.S_ISLNK(s.st_mode) else ''
    isdir = stat.S_ISDIR(s.st_mode)
    out[p] = [oct(s.st_mode), s.st_uid, s.st_gid] + ([] if isdir else [s.st_size, s.st_mtime_ns, s.st_nlink]) + [x, body]
print('\\n'.join(repr(each) for each in sorted(out.items())))
`;

beforeAll(async () => {
  agent = await startAgent();
  image = await agent.image();
  network = await agent.network();
  source = newGuest();
  await agent.driver.createGuest(source);
  // It never runs, so it may be small: restic is asked many times.
  await run('find', [
    rootOf(source),
    '-mindepth',
    '1',
    '-maxdepth',
    '1',
    '!',
    '-name',
    'etc',
    '!',
    '-name',
    'srv',
    '-exec',
    'rm',
    '-rf',
    '{}',
    '+',
  ]);
  await python(source, MAKE);
  first = { ...newRepository(), backup: testId('cpy') };
});
afterAll(async () => agent?.close());

describe('R3: a backup', () => {
  let storedBytes = 0;

  it('is made from a snapshot that is gone afterwards, encrypted, and answered again when it is there', async () => {
    const lines: string[] = [];
    const made = await agent.driver.backupGuest(source.instance, first, 4 * GIB, ({ line }) => lines.push(line));
    storedBytes = made.storedBytes;
    expect(made.files).toBeGreaterThan(10);
    expect(made.dataBytes).toBeGreaterThan(4 * MIB);
    expect(lines[0]).toContain('snapshot');
    expect(await frozen(source)).toEqual([]);
    expect((await agent.driver.observe(source.instance))?.snapshots).toEqual([]);
    expect(statSync(folderOf(first)).mode & 0o077).toBe(0);
    await expect(
      run('grep', ['-rlE', 'PG_VERSION|ssh_host', folderOf(first)]),
      'a name or content can be read without the password',
    ).rejects.toMatchObject({ code: 1 });
    const again = await agent.driver.backupGuest(source.instance, first, 4 * GIB, quiet);
    expect(again.storedBytes).toBe(made.storedBytes);
    expect(await agent.driver.repositories()).toContainEqual({ repository: first.repository, storedBytes });
  });

  it('takes next to nothing the second time', async () => {
    const second = { ...first, backup: testId('cpy') };
    const made = await agent.driver.backupGuest(source.instance, second, 4 * GIB, quiet);
    expect(made.storedBytes - storedBytes).toBeLessThan(2 * MIB);
    const left = await agent.driver.deleteBackup(second, source.instance);
    expect(Math.abs(left - storedBytes)).toBeLessThan(2 * MIB);
    expect(await agent.driver.hasBackup(second)).toBe(false);
    expect(await agent.driver.hasBackup(first)).toBe(true);
  });

  it('becomes another guest with every owner, mode, capability, ACL, link and time; twice is once', async () => {
    const copy = newGuest();
    const seen = await agent.driver.recoverGuest(copy, first, quiet);
    expect(seen).toMatchObject({ state: 'stopped', hostname: copy.hostname, address4: copy.address4 });
    expect(await python(copy, LOOK)).toBe(await python(source, LOOK));
    writeFileSync(join(rootOf(copy), 'srv/mine'), 'written since');
    await agent.driver.recoverGuest(copy, first, quiet);
    expect(readFileSync(join(rootOf(copy), 'srv/mine'), 'utf8')).toBe('written since');
    await agent.driver.destroyGuest(copy.instance);
  });

  it('replaces everything on the disk of its guest, which keeps its name', async () => {
    const before = await python(source, LOOK);
    const root = rootOf(source);
    rmSync(join(root, 'srv/tree/pg'), { recursive: true });
    writeFileSync(join(root, 'srv/tree/plain'), 'other');
    symlinkSync('/', join(root, 'srv/later'));
    await agent.driver.setHostname(source.instance, 'renamed');
    await agent.driver.restoreBackup(source.instance, first, quiet);
    expect(await python(source, LOOK)).toBe(before);
    expect(readdirSync(join(root, 'srv'))).toEqual(['tree']);
    expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('renamed\n');
  });
});

describe('R3: a guest that runs', () => {
  it('is backed up while it does, and starts again in another range of uids, where everything still works', async () => {
    const live = newGuest();
    await agent.driver.createGuest(live);
    await agent.driver.power(live.instance, 'start', {});
    await agent.waitHealthy(live, 240_000);
    await python(live, MAKE);
    const ref = { ...newRepository(), backup: testId('cpy') };
    await agent.driver.backupGuest(live.instance, ref, 4 * GIB, quiet);
    await expect(agent.driver.restoreBackup(live.instance, ref, quiet)).rejects.toMatchObject({
      code: 'state_conflict',
    });
    const copy = newGuest();
    await agent.driver.recoverGuest(copy, ref, quiet);
    await agent.driver.power(copy.instance, 'start', {});
    await agent.waitHealthy(copy, 240_000);
    const [here, there] = [await agent.driver.observe(live.instance), await agent.driver.observe(copy.instance)];
    expect(there?.uidBase).not.toBe(here?.uidBase);
    expect(await inside(copy, 'stat -c "%u:%g %a" /srv/tree/pg /srv/tree/plain /etc/shadow')).toBe(
      await inside(live, 'stat -c "%u:%g %a" /srv/tree/pg /srv/tree/plain /etc/shadow'),
    );
    // What they are for: somebody without rights opens a low port, and becomes root by the program.
    const bind = "import socket; socket.socket().bind(('', 81)); print('bound')";
    const as1000 = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups'];
    await inside(copy, 'echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start');
    expect((await agent.inside(copy, [...as1000, '/srv/tree/bind', '-c', bind])).stdout).toBe('bound\n');
    expect((await agent.inside(copy, [...as1000, '/srv/tree/setuid'])).stdout).toContain('euid=0(root)');
    // A new identity: it may run beside the one it is from.
    for (const file of ['/etc/machine-id', '/etc/ssh/ssh_host_ed25519_key.pub']) {
      expect(await inside(copy, `cat ${file}`)).not.toBe(await inside(live, `cat ${file}`));
    }
    for (const { instance } of [copy, live]) await agent.driver.destroyGuest(instance);
    await agent.driver.removeRepository(ref);
  });
});

describe('R3: what is killed', () => {
  it('kill -9 of the agent in the middle: nothing runs on, and the next try ends well', async () => {
    const ref = { ...first, backup: testId('cpy') };
    await noise(source, 200);
    const broken = agent.driver.backupGuest(source.instance, ref, 4 * GIB, quiet).catch((error: unknown) => error);
    await until(async () => (await running(ref)).length > 0 && (await frozen(source)).length === 1);
    await agent.kill();
    expect(await broken).toMatchObject({ code: 'unavailable' });
    await until(async () => (await running(ref)).length === 0, 5_000);
    await agent.start();
    const made = await agent.driver.backupGuest(source.instance, ref, 4 * GIB, quiet);
    expect(made.dataBytes).toBeGreaterThan(200 * MIB);
    expect(await frozen(source)).toEqual([]);
    expect(readdirSync(join(folderOf(ref), 'locks'))).toEqual([]);
    expect(await agent.driver.verifyRepository(ref, quiet)).toMatchObject({ problem: null });
    const before = made.storedBytes;
    quietly(source);
    expect(await agent.driver.deleteBackup(ref, null)).toBeLessThan(before - 150 * MIB);
  });

  it('a start tidies away what an agent left that nobody calls again', async () => {
    const ref = { ...first, backup: testId('cpy') };
    await noise(source, 200);
    const broken = agent.driver.backupGuest(source.instance, ref, 4 * GIB, quiet).catch((error: unknown) => error);
    await until(async () => (await running(ref)).length > 0 && (await frozen(source)).length === 1);
    await agent.kill();
    await broken;
    await agent.start();
    await until(async () => (await frozen(source)).length === 0);
    quietly(source);
  });

  it('kill -9 of restic: the call fails, the undo leaves the repository sound and as large as before', async () => {
    await agent.driver.deleteBackup({ ...first, backup: testId('cpy') }, null);
    const [before] = (await agent.driver.repositories()).filter((each) => each.repository === first.repository);
    const ref = { ...first, backup: testId('cpy') };
    await noise(source, 200);
    const broken = agent.driver.backupGuest(source.instance, ref, 4 * GIB, quiet).catch((error: unknown) => error);
    const pid = await until(async () =>
      (await frozen(source)).length === 1 ? ((await running(ref)).at(-1) ?? null) : null,
    );
    process.kill(pid, 'SIGKILL');
    expect(await broken).toMatchObject({ code: 'upstream_failed' });
    expect(await frozen(source)).toEqual([]);
    const left = await agent.driver.deleteBackup(ref, source.instance);
    expect(left - (before?.storedBytes ?? 0)).toBeLessThan(2 * MIB);
    expect(await agent.driver.verifyRepository(ref, quiet)).toMatchObject({ problem: null });
  });

  it('more than was reserved is given up, and nothing of it stays', async () => {
    const ref = { ...first, backup: testId('cpy') };
    await noise(source, 400);
    await expect(agent.driver.backupGuest(source.instance, ref, 10 * MIB, quiet)).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
    await agent.driver.deleteBackup(ref, source.instance);
    expect(await agent.driver.hasBackup(ref)).toBe(false);
    quietly(source);
  });
});

describe('R3: what is damaged', () => {
  it('is found and named, harms no other repository, and can be removed', async () => {
    const ref = { ...newRepository(), backup: testId('cpy') };
    await agent.driver.backupGuest(source.instance, ref, 4 * GIB, quiet);
    expect(await agent.driver.verifyRepository(ref, quiet)).toMatchObject({ problem: null });
    const { stdout } = await run('find', [join(folderOf(ref), 'data'), '-type', 'f', '-size', '+1M']);
    const [pack = ''] = stdout.trim().split('\n');
    const bytes = readFileSync(pack);
    bytes.fill(0x5a, 1000, 200_000);
    await run('chmod', ['u+w', pack]);
    writeFileSync(pack, bytes);
    const { problem } = await agent.driver.verifyRepository(ref, quiet);
    expect(problem).toMatch(/[Pp]ack|hash|blob|ciphertext/);
    const victim = newGuest();
    await expect(agent.driver.recoverGuest(victim, ref, quiet)).rejects.toMatchObject({ code: 'conflict' });
    await agent.driver.destroyGuest(victim.instance);
    expect(await agent.driver.verifyRepository(first, quiet)).toMatchObject({ problem: null });
    await agent.driver.removeRepository(ref);
    await agent.driver.removeRepository(ref);
    expect((await agent.driver.repositories()).map((each) => each.repository)).not.toContain(ref.repository);
  });

  it('another password opens nothing; the right one is in no log and no list of arguments', async () => {
    const stranger = { ...first, password: newRepository().password, backup: testId('cpy') };
    await expect(agent.driver.hasBackup(stranger)).rejects.toMatchObject({ code: 'conflict' });
    expect(agent.log()).not.toContain(first.password);
    expect(agent.log()).not.toContain(stranger.password);
  });
});
