/** Packing and unpacking with the real programs of a real guest, a corpus of hostile archives, and stopping a command. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveFormat } from '#domain/file-archives.ts';
import { type GuestRunPart, type GuestTask, guestRunPart } from '#domain/guest-runs.ts';
import type { OperationId } from '#domain/ids.ts';
import type { GuestSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { until } from '#testkit/work.ts';

const minutes = 60_000;
let agent: TestAgent;
let guest: GuestSpec;
let place = '';
let counter = 0;
const berth = { uid: 1000, gid: 1000 };

const inside = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await agent.inside(guest, argv, minutes);
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${code} ${stderr}`);
  return stdout.trim();
};
const python = (script: string) => inside('python3', '-c', script);

async function ended(run: OperationId, part: GuestRunPart) {
  let last: Awaited<ReturnType<typeof agent.driver.lookAtGuestRun>> | null = null;
  await until(async () => {
    last = await agent.driver.lookAtGuestRun(guest.instance, run, part);
    return last.state !== 'running';
  }, minutes);
  if (last === null) throw new Error('no run');
  return last as Awaited<ReturnType<typeof agent.driver.lookAtGuestRun>>;
}
async function runToEnd(task: GuestTask) {
  const run = testId('opr');
  await agent.driver.startGuestRun(guest.instance, run, task);
  const last = await ended(run, guestRunPart(task));
  await agent.driver.endGuestRun(guest.instance, run, guestRunPart(task));
  return last;
}
const pack = (names: string[], to = `${place}/out.tar.gz`, owner = berth, folder = place) =>
  runToEnd({ type: 'pack', folder, names, to, ...owner });
/** As the server does it: into an empty folder of the owner. */
async function unpack(path: string, format: ArchiveFormat, owner = berth) {
  const to = `${place}/.berth-unpack`;
  await inside('install', '-d', '-m', '700', '-o', String(owner.uid), '-g', String(owner.gid), to);
  return { to, ...(await runToEnd({ type: 'unpack', path, format, to, ...owner })) };
}
const found = async (folder: string) =>
  (await inside('find', folder, '-mindepth', '1', '-printf', '%P|%y|%U:%G|%m|%l\n')).split('\n').filter(Boolean).sort();

beforeAll(async () => {
  agent = await startAgent();
  const image = await agent.driver.buildImage('server', () => undefined);
  await agent.driver.allowImages([image.fingerprint]);
  guest = agent.spec(await agent.network(), 10, image.fingerprint);
  await agent.driver.createGuest(guest);
  await agent.driver.power(guest.instance, 'start', {});
  await agent.waitHealthy(guest);
}, 20 * minutes);
afterAll(async () => agent?.close(), 3 * minutes);
beforeEach(async () => {
  place = `/home/berth/t${counter++}`;
  await inside('install', '-d', '-o', '1000', '-g', '1000', place);
});

describe('V2: packing inside', () => {
  it('V2: names of every kind, links as links, as the owner; what is unpacked is the same', async () => {
    const names = ['-C', '--help', '@list', 'a b', 'host:file', 'back\\nslash', '*', 'ünïcode', 'folder'];
    await python(`
import os
os.chdir('${place}')
for name in ${JSON.stringify(names.slice(0, -1))}:
    open(name, 'w').write('content of ' + name)
os.makedirs('folder/deep')
open('folder/deep/file', 'w').write('x' * 100000)
os.chmod('folder/deep/file', 0o750)
os.symlink('/etc/shadow', 'folder/link')
os.mkfifo('folder/pipe')
os.system('chown -hR 1000:1000 ${place}')`);
    const packed = await pack(names);
    expect(packed.code, packed.lines.join('\n')).toBe(0);
    expect(await inside('stat', '--format=%U %G %a', `${place}/out.tar.gz`)).toBe('berth berth 644');
    const { code, to } = await unpack(`${place}/out.tar.gz`, 'tar.gz');
    expect(code).toBe(0);
    const got = await found(to);
    expect(got).toContain('folder/link|l|1000:1000|777|/etc/shadow');
    expect(got).toContain('folder/deep/file|f|1000:1000|750|');
    expect(got.filter((line) => !line.includes('/')).map((line) => line.split('|')[0])).toEqual([...names].sort());
    await inside('diff', '-r', '--no-dereference', '--exclude=pipe', `${place}/folder`, `${to}/folder`);
  });

  it('V2: what the owner of the folder may not read is not packed, and that is said', async () => {
    await inside('install', '-m', '600', '/dev/null', `${place}/secret`);
    const packed = await pack(['secret']);
    expect(packed.code).toBe(2);
    expect(packed.lines.join('\n')).toMatch(/secret.*Permission denied/);
    const asRoot = await pack(['secret'], '/root/out.tar.gz', { uid: 0, gid: 0 });
    expect(asRoot.code).toBe(0);
  });
});

/** Each makes `bad` and says what an archive of it must not have done. */
const tarEntry = (fields: string, content = "b'pwned'") => `
info = tarfile.TarInfo()
${fields}
data = ${content}
info.size = len(data) if info.isreg() else 0
tar.addfile(info, io.BytesIO(data) if info.isreg() else None)`;
const file = (name: string) => tarEntry(`info.name = ${JSON.stringify(name)}`);
const symlink = (name: string, target: string) =>
  tarEntry(
    `info.name = ${JSON.stringify(name)}\ninfo.type = tarfile.SYMTYPE\ninfo.linkname = ${JSON.stringify(target)}`,
  );
const hardlink = (name: string, target: string) =>
  tarEntry(
    `info.name = ${JSON.stringify(name)}\ninfo.type = tarfile.LNKTYPE\ninfo.linkname = ${JSON.stringify(target)}`,
  );

describe('V2: hostile archives stay in the folder they are unpacked into', () => {
  const outside = () => `${place}/outside`;
  const corpus: [string, () => string][] = [
    ['a name that leads up', () => file('../outside/pwned')],
    ['a name that leads up later', () => file('a/../../outside/pwned')],
    ['an absolute name', () => file(`${outside()}/pwned`)],
    ['a link out, and a file through it', () => symlink('door', outside()) + file('door/pwned')],
    ['a relative link out, and a file through it', () => symlink('door', '../outside') + file('door/pwned')],
    ['two links, and a file through both', () => symlink('a', '.') + symlink('a/b', '../outside') + file('a/b/pwned')],
    ['a link, and a file in its place', () => symlink('pwned', `${outside()}/pwned`) + file('pwned')],
    ['a hard link to a file outside, written to', () => hardlink('h', `${outside()}/victim`) + file('h')],
    ['a hard link that leads up', () => hardlink('h', '../outside/victim') + file('h')],
    [
      'a link to a folder, then a folder of that name',
      () =>
        symlink('d', outside()) +
        tarEntry("info.name = 'd'\ninfo.type = tarfile.DIRTYPE\ninfo.mode = 0o777") +
        file('d/pwned'),
    ],
    ['a file that runs as root', () => tarEntry("info.name = 'suid'\ninfo.mode = 0o6755\ninfo.uid = 0\ninfo.gid = 0")],
    [
      'a device',
      () => tarEntry("info.name = 'disk'\ninfo.type = tarfile.BLKTYPE\ninfo.devmajor = 8\ninfo.devminor = 0"),
    ],
  ];

  async function untouched(to: string): Promise<void> {
    expect(await found(outside())).toEqual([expect.stringMatching(/^victim\|f\|/)]);
    expect(await inside('cat', `${outside()}/victim`)).toBe('victim');
    for (const line of await found(to)) {
      const [name = '', type = '', owner = '', mode = '0'] = line.split('|');
      expect(owner, name).toMatch(/^(1000:1000|0:0)$/);
      expect(['b', 'c']).not.toContain(type);
      if (type === 'f') expect(Number.parseInt(mode, 8) & 0o6000, name).toBe(0);
    }
  }
  beforeEach(async () => {
    await inside('install', '-d', '-m', '777', outside());
    await python(`open('${outside()}/victim', 'w').write('victim')`);
    await inside('chmod', '666', `${outside()}/victim`);
  });

  for (const [owner, name] of [
    [berth, 'an account'],
    [{ uid: 0, gid: 0 }, 'root'],
  ] as const) {
    it.each(corpus)(`V2: tar as ${name}: %s`, async (_what, entries) => {
      await python(
        `import tarfile, io\ntar = tarfile.open('${place}/bad.tar', 'w')\n${tarEntry("info.name = 'good'")}\n${entries()}\ntar.close()`,
      );
      const { to } = await unpack(`${place}/bad.tar`, 'tar', owner);
      await untouched(to);
    });
  }

  it.each([
    [
      'names that lead up or are absolute',
      "zip.writestr('../outside/pwned', b'x'); zip.writestr('a/../../outside/pwned', b'x'); zip.writestr(OUT + '/pwned', b'x')",
    ],
    [
      'a link out, and a file through it',
      "link = zipfile.ZipInfo('door'); link.create_system = 3; link.external_attr = 0o120777 << 16; zip.writestr(link, OUT); zip.writestr('door/pwned', b'x')",
    ],
    [
      'a file that runs as root',
      "suid = zipfile.ZipInfo('suid'); suid.create_system = 3; suid.external_attr = 0o106755 << 16; zip.writestr(suid, b'x')",
    ],
  ])('V2: zip: %s', async (_what, script) => {
    for (const owner of [berth, { uid: 0, gid: 0 }]) {
      await inside('rm', '-rf', `${place}/.berth-unpack`);
      await python(
        `import zipfile\nOUT = '${outside()}'\nzip = zipfile.ZipFile('${place}/bad.zip', 'w')\n${script}\nzip.close()`,
      );
      const { to } = await unpack(`${place}/bad.zip`, 'zip', owner);
      await untouched(to);
    }
  });

  it('V2: good ones of every kind are unpacked, whatever the archive is called', async () => {
    await python(`open('${place}/hello.txt', 'w').write('hello')`);
    const made: [ArchiveFormat, string[]][] = [
      ['tar', ['tar', '-C', place, '-cf', `${place}/ok [1].tar`, 'hello.txt']],
      ['tar.gz', ['tar', '-C', place, '-czf', `${place}/ok [1].tar.gz`, 'hello.txt']],
      ['tar.xz', ['tar', '-C', place, '-cJf', `${place}/ok [1].tar.xz`, 'hello.txt']],
      [
        'zip',
        [
          'python3',
          '-c',
          `import zipfile; zipfile.ZipFile('${place}/ok [1].zip', 'w').write('${place}/hello.txt', 'hello.txt')`,
        ],
      ],
    ];
    // What its name would mean as a pattern is another archive.
    await python(`import zipfile; zipfile.ZipFile('${place}/ok 1.zip', 'w').writestr('wrong', b'')`);
    for (const [format, argv] of made) {
      await inside(...argv);
      const { code, lines, to } = await unpack(`${place}/ok [1].${format}`, format);
      expect(code, `${format}: ${lines.join('\n')}`).toBe(0);
      expect(await found(to), format).toEqual([expect.stringMatching(/^hello\.txt\|f\|1000:1000\|644\|/)]);
      await inside('rm', '-rf', to);
    }
    await python(`open('${place}/no.tar.gz', 'w').write('this is no archive')`);
    expect((await unpack(`${place}/no.tar.gz`, 'tar.gz')).code).toBe(2);
  });
});

describe('V2: a command is stopped', () => {
  it('V2: it gets SIGTERM, is killed after a grace when it does not heed it, and its output stays', async () => {
    // Never done: a pipe that nobody writes to. tar dies of SIGTERM.
    await inside('mkfifo', `${place}/never.tar`);
    await inside('chown', '1000:1000', `${place}/never.tar`);
    const run = testId('opr');
    const to = `${place}/aside`;
    await inside('install', '-d', '-o', '1000', '-g', '1000', to);
    const task: GuestTask = { type: 'unpack', path: `${place}/never.tar`, format: 'tar', to, ...berth };
    await agent.driver.startGuestRun(guest.instance, run, task);
    await until(async () => (await inside('sh', '-c', `pgrep -cf '${place}/neve[r]' || true`)) !== '0');
    expect((await agent.driver.lookAtGuestRun(guest.instance, run, 'unpack')).state).toBe('running');
    await Promise.all([
      agent.driver.endGuestRun(guest.instance, run, 'unpack'),
      agent.driver.endGuestRun(guest.instance, run, 'unpack'),
    ]);
    expect(await inside('sh', '-c', `pgrep -cf '${place}/neve[r]' || true`)).toBe('0');
    expect((await agent.driver.lookAtGuestRun(guest.instance, run, 'unpack')).state).toBe('gone');
    expect(await inside('sh', '-c', "systemctl list-units --all --plain --no-legend 'berth-opr*' | wc -l")).toBe('0');
    expect(await inside('systemctl', 'is-system-running')).toBe('running');
  });
});
