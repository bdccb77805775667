/** The SSH gateway with OpenSSH's own clients and a real guest: real agent, real Incus, real edge, real control plane. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { sshSessionKeeper } from '#server/reconcilers/ssh-session-keeper.ts';
import { enrolTotp, totpCode } from '#testkit/authenticator.ts';
import { freePort, until } from '#testkit/ingress.ts';
import { PASSWORD } from '#testkit/server.ts';
import { SshStack } from '#testkit/ssh.ts';

let stack: SshStack;
let guest: Awaited<ReturnType<SshStack['guest']>>;
let key: string;
let box: string;

beforeAll(async () => {
  stack = await SshStack.start();
  guest = await stack.guest();
  const pair = await stack.keyPair();
  key = pair.file;
  box = mkdtempSync(join(stack.dir, 'files-'));
  await stack.home.owner.call(api.sshKeysAdd, { body: { publicKey: pair.line, label: 'laptop' } });
});
afterAll(() => stack?.close());

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const sessions = async () =>
  (await stack.home.owner.call(api.sshSessionsList, { params: { instance: guest.id } })).items;
const living = async () => (await sessions()).filter((session) => session.endedAt === null);
/** `scp` and `sftp` write the port their own way. */
const common = (...more: string[]) => stack.options(key, '-P', String(stack.port), ...more);

async function ok(argv: string[], input: string | Buffer = ''): Promise<string> {
  const ran = await stack.run(argv, input);
  if (ran.code !== 0) throw new Error(`${argv[0]}: ${ran.code} ${ran.stderr} ${stack.logs().slice(-3000)}`);
  return ran.stdout;
}

describe('V4: what people do with ssh', () => {
  it('V4: a key of the profile runs a command in the server, and its exit code comes back', async () => {
    const ran = await stack.ssh(guest.name, key, ['echo', 'hello from', '$(hostname)', 'as', '$USER;', 'exit', '7']);
    if (ran.code !== 7) throw new Error(`${JSON.stringify(ran)}\n${stack.logs()}`);
    expect(ran.stdout).toBe(`hello from ${guest.name} as berth\n`);
    const { items } = await stack.home.owner.call(api.sshKeysList);
    await until('the key was used', async () => {
      const [used] = (await stack.home.owner.call(api.sshKeysList)).items;
      return used?.lastUsedAt !== null && used?.lastUsedAddress === '127.0.0.1';
    });
    expect(items).toHaveLength(1);
  });

  it('V4: the name may say the project as well; others lead nowhere', async () => {
    const { project } = stack.home;
    const { name } = await stack.home.owner.call(api.projectsGet, { params: { project } });
    expect((await stack.ssh(`${guest.name}.${name}`, key, ['true'])).code).toBe(0);
    for (const user of [`${guest.name}.other`, 'nobody', 'root', `${guest.name}.${name}.elsewhere`, 'a b']) {
      const ran = await stack.ssh(user, key, ['true']);
      expect(ran.code, user).toBe(255);
      expect(ran.stderr, user).toContain('Permission denied');
    }
  });

  it('V4: output and errors at once, more of both than the client has room for: every byte arrives, then the exit', async () => {
    const bytes = 8_000_000;
    const both = `yes out | head -c ${bytes} & yes err | head -c ${bytes} >&2; wait; exit 3`;
    const { code, stdout, stderr } = await stack.ssh(guest.name, key, [both]);
    expect([code, stdout.length, stderr.length]).toEqual([3, bytes, bytes]);
    expect(stdout === 'out\n'.repeat(bytes / 4) && stderr === 'err\n'.repeat(bytes / 4)).toBe(true);
  });

  it('V4: input, output and errors are three streams; input ends', async () => {
    const ran = await stack.ssh(guest.name, key, ['tr a-z A-Z; echo wrong >&2; exit 3'], [], 'abc');
    expect(ran).toEqual({ code: 3, stdout: 'ABC', stderr: 'wrong\n' });
    expect((await stack.ssh(guest.name, key, ['kill -TERM $$'])).code).not.toBe(0);
    // The client's end of input is here before the server's shell is.
    for (let round = 0; round < 5; round++) {
      expect((await stack.ssh(guest.name, key, ['cat'], [], '')).code).toBe(0);
    }
  });

  it('V4: a terminal knows its kind and size; only harmless variables pass', async () => {
    const ran = await stack.run([
      'script',
      ...[
        '-qec',
        [
          'stty rows 31 cols 97; exec ssh',
          ...stack.options(key, '-p', String(stack.port), '-tt', '-o', 'SetEnv=LC_ALL=C.UTF-8'),
        ].join(' ') + ` ${guest.name}@127.0.0.1 "stty size; tty; echo [\\$LC_ALL] \\$TERM"`,
      ],
      '/dev/null',
    ]);
    expect(ran.stdout).toContain('31 97');
    expect(ran.stdout).toContain('/dev/pts/');
    expect(ran.stdout).toContain('[C.UTF-8]');
    const odd = await stack.ssh(
      guest.name,
      key,
      ['echo "[$LD_PRELOAD][$BASH_ENV]"'],
      ['-o', 'SetEnv=LD_PRELOAD=x BASH_ENV=y'],
    );
    expect(odd.stdout).toBe('[][]\n');
  });

  it('V4: agent and X11 forwarding stay off', async () => {
    const ran = await stack.ssh(guest.name, key, ['echo "[$SSH_AUTH_SOCK][$DISPLAY]"'], ['-A', '-X']);
    expect(ran.stdout).toBe('[][]\n');
  });

  it('V4: sftp, scp by both protocols and rsync carry a file there and back, whole', async () => {
    const bytes = randomBytes(3_000_000);
    const from = join(box, 'from');
    writeFileSync(from, bytes);
    const there = `${guest.name}@127.0.0.1`;
    await ok(['sftp', ...common('-b', '-'), there], `put ${from} by-sftp\nget by-sftp ${join(box, 'sftp')}\n`);
    await ok(['scp', ...common('-s'), from, `${there}:by-scp`]);
    await ok(['scp', ...common('-s'), `${there}:by-scp`, join(box, 'scp')]);
    await ok(['scp', ...common('-O'), from, `${there}:by-old-scp`]);
    await ok(['scp', ...common('-O'), `${there}:by-old-scp`, join(box, 'old-scp')]);
    // The test image has no rsync: this machine's goes there, with the libraries it needs.
    const libraries = (await ok(['ldd', '/usr/bin/rsync'])).match(/\/\S+/g) ?? [];
    const own = libraries.filter((path) => !/libc\.so|ld-linux|libm\.so|libpthread/.test(path));
    await stack.ssh(guest.name, key, ['mkdir -p rs']);
    await ok(['scp', ...common(), '/usr/bin/rsync', ...own, `${there}:rs/`]);
    const far = '--rsync-path=env LD_LIBRARY_PATH=rs rs/rsync';
    const shell = ['ssh', ...stack.options(key, '-p', String(stack.port))].join(' ');
    await ok(['rsync', '-e', shell, far, from, `${there}:by-rsync`]);
    await ok(['rsync', '-e', shell, far, `${there}:by-rsync`, join(box, 'rsync')]);
    const sums = await stack.ssh(guest.name, key, ['sha256sum by-* | cut -c1-64 | sort -u']);
    expect(sums.stdout.trim()).toBe(sha256(bytes));
    for (const name of ['sftp', 'scp', 'old-scp', 'rsync'])
      expect(sha256(readFileSync(join(box, name))), name).toBe(sha256(bytes));
  });

  it('V4: 60 MB go through and back while keys are changed every megabyte', async () => {
    const bytes = randomBytes(60_000_000);
    const ran = await stack.ssh(guest.name, key, ['sha256sum'], ['-o', 'RekeyLimit=1M'], bytes);
    expect(ran.stdout.slice(0, 64)).toBe(sha256(bytes));
    const back = await stack.ssh(guest.name, key, ['head -c 60000000 /dev/zero | tr "\\0" x'], ['-o', 'RekeyLimit=1M']);
    expect(sha256(Buffer.from(back.stdout))).toBe(sha256(Buffer.alloc(60_000_000, 'x')));
  });
});

describe('V4: forwarded connections', () => {
  const page = (text: string) =>
    `import socket\ns = socket.create_server(("127.0.0.1", 8123))\nwhile True:\n    c, _ = s.accept()\n    c.recv(65536)\n    c.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n${text}")\n    c.close()\n`;

  it('V4: -L reaches what listens inside, from inside; never the machine of the gateway', async () => {
    await stack.inside(guest.spec, 'systemd-run', '--unit', 'page', 'python3', '-c', page('inside'));
    const port = await freePort();
    const away = await freePort();
    const own = createServer((_, response) => response.end('the host'));
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    const { port: hostPort } = own.address() as { port: number };
    const client = stack.open(
      guest.name,
      key,
      [],
      [...['-N', '-L', `${port}:127.0.0.1:8123`, '-L', `${away}:127.0.0.1:${hostPort}`]],
    );
    const ask = (at: number) => fetch(`http://127.0.0.1:${at}/`).then((answer) => answer.text());
    await until('the forward', () =>
      ask(port).then(
        (text) => text === 'inside',
        () => false,
      ),
    );
    await expect(ask(away)).rejects.toThrow();
    client.child.kill();
    own.close();
  });

  it('V4: -R brings a port of the server to the client', async () => {
    const own = createServer((_, response) => response.end('from the laptop'));
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    const { port } = own.address() as { port: number };
    const client = stack.open(guest.name, key, ['echo there; sleep 60'], ['-R', `8200:127.0.0.1:${port}`]);
    await until('it is there', () => client.log.text.includes('there'));
    const script = 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8200/").read().decode())';
    const ran = await stack.ssh(guest.name, key, [`curl -s http://127.0.0.1:8200/ || python3 -c '${script}'`]);
    expect(ran.stdout.trim()).toBe('from the laptop');
    client.child.kill();
    own.close();
  });

  it('V4: -J goes through the gateway, end to end: the server itself is what the client sees', async () => {
    await stack.inside(
      guest.spec,
      'sh',
      '-c',
      `mkdir -p /home/berth/.ssh && cat > /home/berth/.ssh/authorized_keys <<E\n${readFileSync(`${key}.pub`, 'utf8')}E\nchown -R berth:berth /home/berth/.ssh`,
    );
    const known = join(box, 'known');
    const hostKey = await stack.inside(guest.spec, 'cat', '/etc/ssh/ssh_host_ed25519_key.pub');
    writeFileSync(
      known,
      `${guest.name} ${hostKey}\n[127.0.0.1]:${stack.port} ${readFileSync(join(stack.dir, 'host_key.pub'), 'utf8')}`,
    );
    const config = join(box, 'config');
    writeFileSync(
      config,
      `Host *\n  UserKnownHostsFile ${known}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentityFile ${key}\n  IdentitiesOnly yes\n  BatchMode yes\n`,
    );
    const out = await ok([
      'ssh',
      '-F',
      config,
      '-J',
      `${guest.name}@127.0.0.1:${stack.port}`,
      `berth@${guest.name}`,
      'hostname',
    ]);
    expect(out.trim()).toBe(guest.name);
  });
});

describe('V4: passwords and second factors', () => {
  it('V4: the password of the account opens it, a wrong one does not, and the server signs in and out', async () => {
    const email = 'pat@example.test';
    await stack.home.owner.addMember(stack.home.organization, 'member', email);
    const ran = await stack.sshAsking(guest.name, [email, PASSWORD], ['echo in']);
    expect(ran.stdout, ran.stderr).toBe('in\n');
    expect((await stack.sshAsking(`${guest.name}+${email}`, [PASSWORD], ['echo in'])).stdout).toBe('in\n');
    const plain = ['-o', 'PreferredAuthentications=password', '-o', 'NumberOfPasswordPrompts=1'];
    expect((await stack.sshAsking(`${guest.name}+${email}`, [PASSWORD], ['echo in'], plain)).stdout).toBe('in\n');
    const wrong = await stack.sshAsking(`${guest.name}+${email}`, ['not it', 'nor this', 'nor that'], ['echo in']);
    expect(wrong.code).toBe(255);
    expect((await living()).length).toBe(0);
    const left = await stack.server.app.db
      .selectFrom('session')
      .innerJoin('app_user', 'app_user.id', 'session.user_id')
      .select('session.user_agent')
      .where('app_user.email', '=', email)
      .where('session.revoked_at', 'is', null)
      .where('session.user_agent', 'like', 'SSH%')
      .execute();
    expect(left).toEqual([]);
  });

  it('V4: an account with a second factor is asked for it: right lets in, wrong does not', async () => {
    const email = 'two@example.test';
    const person = await stack.home.owner.addMember(stack.home.organization, 'member', email);
    const { secret } = await enrolTotp(person, new Date(Date.now() - 30_000));
    const code = () => totpCode(secret, new Date());
    const wrong = await stack.sshAsking(
      `${guest.name}+${email}`,
      [PASSWORD, '000000', '000000', '000000'],
      ['echo in'],
    );
    expect(wrong.code).toBe(255);
    const right = await stack.sshAsking(`${guest.name}+${email}`, [PASSWORD, code()], ['echo in']);
    expect(right.stdout, right.stderr).toBe('in\n');
  });
});

describe('V4: what ends', () => {
  /** A connection that lives: its output so far, and when it ended. */
  const connect = async (user = guest.name, with_ = key) => {
    const client = stack.open(user, with_, ['echo up; sleep 600']);
    await until('it is up', () => client.log.text.includes('up'));
    return client;
  };
  /** Milliseconds from `what` to the end of the connection. */
  const endsAfter = async (client: { ended: Promise<number> }, what: () => Promise<unknown>) => {
    await what();
    const started = performance.now();
    await client.ended;
    return performance.now() - started;
  };

  it('V4: who is in, from where, since when and how much; the button cuts it within a second', async () => {
    const client = await connect();
    await until('it is listed', async () => (await living()).length === 1);
    const [session] = await living();
    expect(session).toMatchObject({ method: 'key', keyLabel: 'laptop', address: '127.0.0.1', ending: false });
    expect(session?.client).toContain('OpenSSH');
    await until('bytes are counted', async () => ((await living())[0]?.bytesIn ?? 0) > 500, 30_000);
    const params = { instance: guest.id, session: session?.id ?? '' };
    expect(await endsAfter(client, () => stack.home.owner.call(api.sshSessionsEnd, { params }))).toBeLessThan(1_000);
    expect(client.log.text).toContain('Somebody ended it in Berth.');
    await until('the record is closed', async () => (await living()).length === 0);
    expect((await sessions()).find((each) => each.id === session?.id)).toMatchObject({
      endReason: 'Somebody ended it in Berth.',
      ending: false,
    });
    const again = await stack.home.owner.try(api.sshSessionsEnd, { params });
    expect(again.statusCode).toBe(404);
  });

  it('V4: beginning and end stand in the audit log, with address, key and amount', async () => {
    const rows = await stack.server.app.db
      .selectFrom('audit')
      .select(['action', 'actor', 'address', 'target', 'after'])
      .where('target_id', '=', guest.id)
      .where('action', 'like', 'instance.ssh.%')
      .orderBy('seq', 'desc')
      .limit(3)
      .execute();
    expect(rows.map((row) => row.action)).toEqual(['instance.ssh.end', 'instance.ssh.cut', 'instance.ssh.begin']);
    expect(rows[2]).toMatchObject({ actor: 'owner@example.test', address: '127.0.0.1', target: guest.name });
    expect(rows[0]?.after).toMatchObject({ user: 'owner@example.test', reason: 'Somebody ended it in Berth.' });
  });

  it('V4: taking the key, the grant or the account away is felt by running connections within a second', async () => {
    const { owner, organization } = stack.home;
    const pair = await stack.keyPair();
    const person = await owner.addMember(organization, 'guest', 'guest@example.test');
    const added = await person.call(api.sshKeysAdd, { body: { publicKey: pair.line } });
    expect((await stack.ssh(guest.name, pair.file, ['true'])).code).toBe(255);
    const grant = (permissions: ('open' | 'terminal' | 'ssh')[]) =>
      owner.call(api.instanceAccessSet, {
        params: { instance: guest.id, subject: person.userId ?? '' },
        body: { permissions },
      });
    await grant(['terminal']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await stack.ssh(guest.name, pair.file, ['true'])).code, 'a terminal is not SSH').toBe(255);
    await grant(['ssh']);
    await until('let in', async () => (await stack.ssh(guest.name, pair.file, ['true'])).code === 0);
    const first = await connect(guest.name, pair.file);
    expect(await endsAfter(first, () => grant(['open']))).toBeLessThan(1_000);
    expect((await stack.ssh(guest.name, pair.file, ['true'])).code).toBe(255);
    await grant(['ssh']);
    await until('let in', async () => (await stack.ssh(guest.name, pair.file, ['true'])).code === 0);
    // They see their own connections and no others.
    const mine = await person.call(api.sshSessionsList, { params: { instance: guest.id } });
    expect(new Set(mine.items.map((each) => each.user.email))).toEqual(new Set(['guest@example.test']));
    const second = await connect(guest.name, pair.file);
    expect(await endsAfter(second, () => person.call(api.sshKeysRemove, { params: { key: added.id } }))).toBeLessThan(
      1_000,
    );
    await person.call(api.sshKeysAdd, { body: { publicKey: pair.line } });
    await until('let in', async () => (await stack.ssh(guest.name, pair.file, ['true'])).code === 0);
    const third = await connect(guest.name, pair.file);
    const params = { user: person.userId ?? '' };
    expect(
      await endsAfter(third, () => owner.call(api.usersUpdate, { params, body: { disabled: true } })),
    ).toBeLessThan(1_000);
  });

  it('V4: another host key than the pinned one: refused before anything is said, shown, and accepted by hand', async () => {
    const keys = await stack.inside(
      guest.spec,
      'sh',
      '-c',
      'cp -a /etc/ssh /etc/ssh.before && rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl restart ssh && cat /etc/ssh/ssh_host_ed25519_key.pub',
    );
    const ran = await stack.ssh(guest.name, key, ['echo in']);
    expect(ran.code).toBe(255);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toContain('other host keys');
    const params = { instance: guest.id };
    await until('it is shown', async () => {
      const { hostKeys } = await stack.home.owner.call(api.sshAccess, { params });
      return hostKeys.refused !== null;
    });
    const now = await stack.home.owner.call(api.sshHostKeysAccept, { params, body: {} });
    const digest = createHash('sha256')
      .update(Buffer.from(keys.split(' ')[1] ?? '', 'base64'))
      .digest('base64');
    expect(now.hostKeys.fingerprints).toContain(`SHA256:${digest.replace(/=+$/, '')}`);
    expect(now.hostKeys.refused).toBeNull();
    await until('let in', async () => (await stack.ssh(guest.name, key, ['true'])).code === 0);
  });

  it('V4: a server that has just been made: who comes before its host keys are read waits for them, and not for ever', async () => {
    const { db } = stack.server.app;
    await db.deleteFrom('instance_host_key').where('instance_id', '=', guest.id).execute();
    await stack.killEdge();
    await stack.startEdge();
    const never = await stack.ssh(guest.name, key, ['echo in']);
    expect(never).toMatchObject({ code: 255, stderr: expect.stringContaining('has just been made') });
    const early = stack.ssh(guest.name, key, ['echo in']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await stack.home.owner.call(api.sshHostKeysAccept, { params: { instance: guest.id }, body: {} });
    expect(await early).toMatchObject({ code: 0, stdout: 'in\n' });
  });

  it('V4: a server that is stopped says so, to who may know', async () => {
    await stack.observed(guest.id, 'stopped');
    const ran = await stack.ssh(guest.name, key, ['true']);
    expect(ran).toMatchObject({ code: 255, stderr: expect.stringContaining('does not run') });
    await stack.observed(guest.id, 'running');
    await until('let in', async () => (await stack.ssh(guest.name, key, ['true'])).code === 0);
  });
});

describe('V4: hostile neighbours', () => {
  it('V4: 100 connections that never sign in, from another address, keep nobody out; each ends by itself', async () => {
    const silent = Array.from({ length: 100 }, () => stack.silent('127.0.0.9'));
    let closed = 0;
    for (const socket of silent) {
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => closed++);
    }
    await until('most are dropped', () => closed >= 90);
    for (let round = 0; round < 3; round++) expect((await stack.ssh(guest.name, key, ['echo in'])).stdout).toBe('in\n');
    // From the same address as well: the oldest silent one goes, not the person.
    const own = Array.from({ length: 100 }, () => stack.silent('127.0.0.1'));
    let gone = 0;
    for (const socket of own) {
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => gone++);
    }
    await until('most are dropped', () => gone >= 90);
    expect((await stack.ssh(guest.name, key, ['echo in'])).stdout).toBe('in\n');
    for (const socket of [...silent, ...own]) socket.destroy();
  });

  it('V4: ssh-audit finds nothing to fail', async () => {
    const ran = await stack.run(['ssh-audit', '-n', '-j', '-p', String(stack.port), '127.0.0.1']);
    const found = JSON.parse(ran.stdout) as { kex: { algorithm: string }[]; recommendations?: { critical?: unknown } };
    expect(found.kex.map((each) => each.algorithm)).toContain('curve25519-sha256');
    expect(found.recommendations?.critical ?? {}).toEqual({});
    const plain = await stack.run(['ssh-audit', '-n', '-l', 'fail', '-p', String(stack.port), '127.0.0.1']);
    expect(plain.stdout).not.toContain('[fail]');
  });
});

describe('R1: kill -9', () => {
  const alive = () => stack.ssh(guest.name, key, ['echo in']).then((ran) => ran.stdout === 'in\n');

  it('R1: the server: a key still opens, what happened is told when it is back', async () => {
    await stack.silence();
    expect(await alive()).toBe(true);
    const before = (await sessions()).length;
    await stack.unsilence();
    await until('told', async () => (await sessions()).length > before && (await living()).length === 0, 30_000);
  });

  it('R1: edge: nobody new gets in, what is open lives on, and is watched again after its return', async () => {
    const client = stack.open(guest.name, key, ['echo up; sleep 600']);
    await until('it is up', () => client.log.text.includes('up'));
    await stack.killEdge();
    expect(await alive()).toBe(false);
    expect(client.child.exitCode).toBeNull();
    await stack.startEdge();
    await until('it works again', alive, 30_000);
    expect(client.child.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await until('it is listed', async () => (await living()).length >= 1);
    const [session] = await living();
    await stack.home.owner.call(api.sshSessionsEnd, { params: { instance: guest.id, session: session?.id ?? '' } });
    expect(await client.ended).not.toBe(0);
  });

  it('R1: the agent: nobody new gets in without its signature; with it back they do', async () => {
    await stack.agent.kill();
    const ran = await stack.ssh(guest.name, key, ['echo in']);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toContain('does not answer');
    await stack.agent.start();
    await until('it works again', alive, 30_000);
  });

  it('R1: the gateway: its next start serves at once', async () => {
    const client = stack.open(guest.name, key, ['echo up; sleep 600']);
    await until('it is up', () => client.log.text.includes('up'));
    await stack.killGateway();
    expect(await client.ended).toBe(255);
    await stack.startGateway();
    expect(await alive()).toBe(true);
    // Nobody said that it ended: the keeper closes the record when it was silent for long enough.
    const left = await living();
    expect(left.length).toBeGreaterThanOrEqual(1);
    await until('the other one has said its end', async () => (await living()).length === 1);
    const { services } = stack.server.app;
    let now = Date.now();
    const keeper = sshSessionKeeper({ ...services, now: () => now }, { everyMs: 1, silentMs: 60_000 });
    expect(await keeper.run(new AbortController().signal)).toBeNull();
    now += 61_000;
    expect(await keeper.run(new AbortController().signal)).toBe('closed the record of 1 SSH connections');
    expect(await living()).toEqual([]);
  });
});
