/** Recording with OpenSSH's own client and a real guest: real agent, real Incus, real edge, gateway and control plane. */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { SshRecordingId } from '#domain/ids.ts';
import { readCast, SSH_RECORDED_WORDS } from '#domain/ssh-recordings.ts';
import { sshRecordingKeeper } from '#server/reconcilers/ssh-recording-keeper.ts';
import { until } from '#testkit/ingress.ts';
import { SshStack } from '#testkit/ssh.ts';

let stack: SshStack;
let guest: Awaited<ReturnType<SshStack['guest']>>;
let key: string;

beforeAll(async () => {
  stack = await SshStack.start();
  guest = await stack.guest();
  const pair = await stack.keyPair();
  key = pair.file;
  await stack.home.owner.call(api.sshKeysAdd, { body: { publicKey: pair.line, label: 'laptop' } });
});
afterAll(() => stack?.close());

const params = () => ({ instance: guest.id });
const recordings = async () => (await stack.home.owner.call(api.sshRecordingsList, { params: params() })).items;
const audited = async (action: string) =>
  stack.server.app.db.selectFrom('audit').select(['actor', 'after', 'before']).where('action', '=', action).execute();
const file = (id: string) => join(stack.dir, 'recordings', `${id}.cast`);
const keeper = (now = Date.now()) =>
  sshRecordingKeeper({ ...stack.server.app.services, now: () => now }, join(stack.dir, 'recordings')).run(
    new AbortController().signal,
  );
/** ssh with a terminal of its own. */
const inTerminal = (command: string, more: string[] = []) =>
  stack.run(
    [
      'script',
      '-qec',
      [
        'stty rows 31 cols 97; exec ssh',
        ...stack.options(key, '-p', String(stack.port), '-tt', ...more),
        `${guest.name}@127.0.0.1`,
        `'${command}'`,
      ].join(' '),
      '/dev/null',
    ],
    '',
  );
const set = async (enabled: boolean) => {
  await stack.home.owner.call(api.sshRecordingSet, { params: params(), body: { enabled } });
  // Edge hears of it within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
};

it('V4: the gateway makes files in the folder and cannot list it; the server reads and deletes them', async () => {
  const [server, gateway] = [60_001, 60_002];
  const folder = mkdtempSync(join(tmpdir(), 'berth-recordings-'));
  chownSync(folder, server, gateway);
  chmodSync(folder, 0o730);
  const as = (id: number, code: string) =>
    stack.run([process.execPath, '-e', `process.setgid(${id}); process.setgroups([]); process.setuid(${id}); ${code}`]);
  const recording = new URL('recording.ts', import.meta.url).href;
  const made = await as(
    gateway,
    `process.umask(0o077);
    import('${recording}').then(async ({ Recording }) => {
      const recorder = { folder: '${folder}', now: () => new Date(), reports: { tell() {} },
        limits: { bytes: 1e6, hours: 1, freeBytes: 0 } };
      const of = { session: 'shs_${'0'.repeat(26)}', width: 80, height: 24, term: 'xterm', title: 'x' };
      const { id } = await Recording.begin(recorder, of, () => {});
      let listed = 'listed';
      try { require('node:fs').readdirSync('${folder}'); } catch (error) { listed = error.code; }
      console.log(JSON.stringify({ id, listed }));
    });`,
  );
  expect(made.stderr).toBe('');
  const { id, listed } = JSON.parse(made.stdout) as { id: string; listed: string };
  expect(listed).toBe('EACCES');
  const path = join(folder, `${id}.cast`);
  const read = await as(
    server,
    `const fs = require('node:fs'); console.log(fs.readdirSync('${folder}').length, fs.readFileSync('${path}').length > 50);
     fs.unlinkSync('${path}');`,
  );
  expect(read).toMatchObject({ stdout: '1 true\n', stderr: '' });
  const stranger = await as(60_003, `require('node:fs').statSync('${path}')`);
  expect(stranger.stderr).toContain('EACCES');
  rmSync(folder, { recursive: true });
});

describe('V4: recording of sessions', () => {
  it('V4: off by default: nothing is said and nothing is kept', async () => {
    const ran = await inTerminal('echo hello');
    expect(ran.stdout).toContain('hello');
    expect(ran.stdout).not.toContain('recorded');
    expect(await recordings()).toEqual([]);
    const access = await stack.home.owner.call(api.sshAccess, { params: params() });
    expect(access.recording).toMatchObject({ server: false, organization: false, full: false });
  });

  it('V4: on: announced before the shell, what the terminal showed is in the file, what was typed is not', async () => {
    await set(true);
    const command = 'stty -echo; echo ready; read secret; echo "$(printf %s "$secret" | wc -c) typed, the end"; exit 3';
    const client = stack.open(guest.name, key, [command], ['-tt']);
    await until('it waits', () => client.log.text.includes('ready'));
    client.child.stdin?.write('hunter2\n');
    expect(await client.ended).toBe(3);
    expect(client.log.text.startsWith(SSH_RECORDED_WORDS)).toBe(true);
    await until('it is over', async () => (await recordings())[0]?.endedAt != null);
    const [found] = await recordings();
    const content = await stack.home.owner.try(api.sshRecordingsRead, {
      params: { ...params(), recording: found?.id ?? '' },
    });
    expect(content.statusCode).toBe(200);
    expect(content.headers['content-disposition']).toContain('.cast');
    const cast = readCast(content.body);
    const shown = cast?.events
      .filter(([, kind]) => kind === 'o')
      .map(([, , data]) => data)
      .join('');
    expect(shown).toContain('7 typed, the end');
    expect(content.body).not.toContain('hunter2');
    expect(cast?.title).toBe(`owner@example.test at ${guest.name}`);
    expect(found?.sha256).toBe(createHash('sha256').update(content.body).digest('hex'));
    expect(found).toMatchObject({ sizeBytes: Buffer.byteLength(content.body), endReason: 'The session ended.' });
    const read = await audited('instance.ssh.recording.read');
    expect(read).toHaveLength(1);
    expect(read[0]).toMatchObject({ actor: 'owner@example.test', after: { recording: found?.id } });
    expect((await audited('instance.ssh.recorded')).map((row) => (row.after as { sha256: string }).sha256)).toContain(
      found?.sha256,
    );
    const sessions = await stack.home.owner.call(api.sshSessionsList, { params: params() });
    expect(sessions.items.find((each) => each.id === found?.session)?.recorded).toBe(true);
  });

  it('V4: size and changes of the window are in it', async () => {
    await inTerminal('sleep 0.3; stty size');
    await until('it is over', async () => (await recordings()).every((each) => each.endedAt !== null));
    const [found] = await recordings();
    const cast = readCast(readFileSync(file(found?.id ?? ''), 'utf8'));
    expect(cast).toMatchObject({ width: 97, height: 31 });
  });

  it('V4: commands without a terminal, scp and sftp are not recorded and see no announcement', async () => {
    const before = (await recordings()).length;
    expect(await stack.ssh(guest.name, key, ['echo plain'])).toEqual({ code: 0, stdout: 'plain\n', stderr: '' });
    expect((await stack.ssh(guest.name, key, ['-T'], ['-T'], 'echo shell\n')).stdout).not.toContain('recorded');
    const scp = ['scp', ...stack.options(key, '-P', String(stack.port)), '/etc/hostname', `${guest.name}@127.0.0.1:h`];
    expect((await stack.run(scp)).code).toBe(0);
    expect((await recordings()).length).toBe(before);
  });

  it('V4: who may: members neither replay nor change it, admins do not delete, owners do', async () => {
    const { owner, organization } = stack.home;
    const member = await owner.addMember(organization, 'member', 'rec-member@example.test');
    const admin = await owner.addMember(organization, 'admin', 'rec-admin@example.test');
    const recording = (await recordings()).at(-1)?.id ?? '';
    const one = { ...params(), recording };
    expect((await member.try(api.sshRecordingsList, { params: params() })).statusCode).toBe(404);
    expect((await member.try(api.sshRecordingsRead, { params: one })).statusCode).toBe(404);
    expect((await member.try(api.sshRecordingSet, { params: params(), body: { enabled: false } })).statusCode).toBe(
      404,
    );
    // But they see that it is so.
    const access = await member.call(api.sshAccess, { params: params() });
    expect(access.recording).toMatchObject({
      server: true,
      can: { play: expect.any(String), update: expect.any(String) },
    });
    expect((await admin.try(api.sshRecordingsRead, { params: one })).statusCode).toBe(200);
    expect((await admin.try(api.sshRecordingsDelete, { params: one })).statusCode).toBe(404);
    await owner.call(api.sshRecordingsDelete, { params: one });
    expect((await owner.try(api.sshRecordingsRead, { params: one })).statusCode).toBe(404);
    await keeper();
    expect(existsSync(file(recording))).toBe(false);
    expect((await audited('instance.ssh.recording.delete'))[0]?.before).toMatchObject({ recording });
  });

  it('V4: the organization records all its servers, and says for how long', async () => {
    await set(false);
    const { owner, organization } = stack.home;
    const of = { organization };
    await owner.call(api.sshRecordingPolicySet, { params: of, body: { enabled: true, days: 7 } });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const before = (await recordings()).length;
    expect((await inTerminal('echo by policy')).stdout).toContain('recorded');
    await until('it is listed', async () => (await recordings()).length > before);
    await until('it is over', async () => (await recordings())[0]?.endedAt != null);
    // Eight days later they are gone, files too.
    const [kept] = await recordings();
    expect(await keeper(Date.now() + 6 * 86_400_000)).toBeNull();
    expect(await keeper(Date.now() + 8 * 86_400_000)).toContain('expired');
    expect(existsSync(file(kept?.id ?? ''))).toBe(false);
    expect(await recordings()).toEqual([]);
    expect((await audited('organizations.ssh-recording'))[0]).toMatchObject({ after: { enabled: true, days: 7 } });
  });

  it('V4: full: nobody gets a terminal, commands work; with room again they do', async () => {
    const { db } = stack.server.app;
    const startedAt = new Date();
    const session = await db.selectFrom('ssh_session').selectAll().limit(1).executeTakeFirstOrThrow();
    const id = `srd_${'0'.repeat(26)}` as SshRecordingId;
    await db
      .insertInto('ssh_recording')
      .values({
        ...{ id, organization_id: session.organization_id, project_id: session.project_id },
        ...{ instance_id: session.instance_id, user_id: session.user_id, session_id: session.id },
        ...{ address: '192.0.2.1', started_at: startedAt, ended_at: startedAt, end_reason: 'x', bytes: 5 * 1024 ** 3 },
      })
      .execute();
    await keeper();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const refused = await inTerminal('echo inside');
    expect(refused.stdout).toContain('no room left for recordings');
    expect(refused.stdout).not.toContain('inside');
    expect((await stack.ssh(guest.name, key, ['echo plain'])).stdout).toBe('plain\n');
    await db.deleteFrom('ssh_recording').where('id', '=', id).execute();
    await keeper();
    await until('it works again', async () => (await inTerminal('echo inside')).stdout.includes('inside'), 20_000);
  });

  it('V4: the disk fills up: the session ends and says why; what was written plays', async () => {
    const folder = join(stack.dir, 'recordings');
    const mounted = await stack.run(['mount', '-t', 'tmpfs', '-o', 'size=1028m,mode=0777', 'tmpfs', folder]);
    expect(mounted.code, mounted.stderr).toBe(0);
    try {
      const ran = await inTerminal('yes 0123456789abcdef | head -c 40000000; echo survived');
      expect(ran.stdout.slice(-400)).toContain('no room left for the recording');
      expect(ran.stdout).not.toContain('survived');
      expect(ran.code).toBe(255);
      await until('it is told', async () => (await recordings())[0]?.endReason?.includes('no room') === true);
      const [found] = await recordings();
      const cast = readCast(readFileSync(file(found?.id ?? ''), 'utf8'));
      expect(cast?.events.length).toBeGreaterThan(5);
      expect((await stack.ssh(guest.name, key, ['echo plain'])).stdout).toBe('plain\n');
    } finally {
      await stack.run(['umount', '-l', folder]);
    }
  });

  it('V4: no file, no shell: without its folder nobody gets an unrecorded terminal', async () => {
    const folder = join(stack.dir, 'recordings');
    rmSync(folder, { recursive: true });
    const refused = await inTerminal('echo inside');
    expect(refused.stdout).toContain('cannot be written');
    expect(refused.stdout).not.toContain('inside');
    await stack.run(['mkdir', folder]);
  });

  it('R1: kill -9 of the gateway in the middle: what was shown is kept, listed and plays', async () => {
    const client = stack.open(guest.name, key, ['echo before the end; sleep 600'], ['-tt']);
    await until('it is up', () => client.log.text.includes('before the end'));
    await until('it is listed', async () => (await recordings())[0]?.endedAt === null);
    await stack.killGateway();
    expect(await client.ended).not.toBe(0);
    const [cut] = await recordings();
    await stack.startGateway();
    const { db } = stack.server.app;
    // As ssh-session-keeper does after a minute of silence.
    await db
      .updateTable('ssh_session')
      .set({ ended_at: new Date(Date.now() - 60_000), end_reason: 'The SSH gateway fell silent.' })
      .where('id', '=', cut?.session ?? ('' as never))
      .execute();
    expect(await keeper()).toContain('closed');
    const [closed] = await recordings();
    expect(closed).toMatchObject({ id: cut?.id, endReason: 'It was cut off: the SSH gateway ended.', sha256: null });
    const content = await stack.home.owner.try(api.sshRecordingsRead, {
      params: { ...params(), recording: cut?.id ?? '' },
    });
    expect(
      readCast(content.body)
        ?.events.map(([, , data]) => data)
        .join(''),
    ).toContain('before the end');
    expect(closed?.milliseconds).toBe(Math.round((readCast(content.body)?.seconds ?? 0) * 1000));
    // A file that nobody told of is found by the connection that it names.
    await db
      .deleteFrom('ssh_recording')
      .where('id', '=', cut?.id ?? ('' as never))
      .execute();
    expect(await keeper()).toContain('found');
    await keeper();
    expect((await recordings())[0]).toMatchObject({ id: cut?.id, endReason: 'It was cut off: the SSH gateway ended.' });
  });
});
