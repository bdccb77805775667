import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { describeCulprit, parseListeners, portCulprits } from './ports.ts';

const ss = `LISTEN 0      511          0.0.0.0:443        0.0.0.0:*    users:(("nginx",pid=812,fd=6),("nginx",pid=813,fd=6))
LISTEN 0      4096       127.0.0.1:8080       0.0.0.0:*    users:(("java",pid=99,fd=7))
LISTEN 0      128             [::]:22            [::]:*    users:(("sshd",pid=1,fd=4))
LISTEN 0      128             [::]:80            [::]:*
LISTEN 0      128                *:443              *:*
`;

it('names who has a port, also over IPv6 and when the owner is hidden', () => {
  const found = parseListeners(ss);
  expect(found.get(443)).toEqual({ program: 'nginx', pid: 812 });
  expect(found.get(22)).toEqual({ program: 'sshd', pid: 1 });
  expect(found.get(80)).toEqual({ program: 'another program', pid: null });
  expect(describeCulprit({ port: 443, program: 'nginx', pid: 812 })).toBe('port 443 is used by nginx (pid 812)');
  expect(parseListeners('').size).toBe(0);
});

it('finds a real listener, and forgives our own', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    expect((await portCulprits([port], new Set())).map((culprit) => culprit.port)).toEqual([port]);
    // Where `ss` does not say whose it is, nothing can be forgiven.
    const mine = await portCulprits([port], new Set([process.pid]));
    expect(mine.every((culprit) => culprit.pid === null)).toBe(true);
  } finally {
    server.close();
  }
});
