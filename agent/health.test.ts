import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { failedUnits, summary } from './health.ts';
import { readBanner, rfbHandshake, vncResponse } from './vnc.ts';

const check = (state: 'healthy' | 'unhealthy' | 'starting' | 'degraded' | 'unknown', optional = false) => ({
  name: 'x',
  state,
  message: '',
  optional,
});

describe('health', () => {
  it('is the worst of what is required', () => {
    expect(summary([check('healthy'), check('healthy')], false)).toBe('healthy');
    expect(summary([check('healthy'), check('degraded')], false)).toBe('degraded');
    expect(summary([check('degraded'), check('starting')], false)).toBe('starting');
    expect(summary([check('healthy'), check('unhealthy')], false)).toBe('unhealthy');
    expect(summary([check('healthy'), check('unhealthy')], true)).toBe('starting');
    expect(summary([check('healthy'), check('unhealthy', true)], false)).toBe('healthy');
  });

  it('names failed units and nothing else', () => {
    expect(failedUnits('ssh.service loaded failed failed OpenBSD\n')).toBe('ssh.service');
    expect(failedUnits('<b>x</b> y\n')).toBe('unknown');
    expect(failedUnits(Array.from({ length: 8 }, (_, index) => `u${index}.service x`).join('\n'))).toMatch(
      / and 3 more$/,
    );
  });
});

describe('screens', () => {
  it('answer a challenge as the protocol wants it', () => {
    // Published answers of DES: key and block of zeros; and key 01 01 ... (80 mirrored) with block 80 00 ...
    expect(vncResponse(Buffer.alloc(16), '').toString('hex')).toBe('8ca64de9c1b123a7'.repeat(2));
    const block = Buffer.from('8000000000000000'.repeat(2), 'hex');
    expect(vncResponse(block, '\x80'.repeat(8)).toString('hex')).toBe('95f8a5e5dd31d900'.repeat(2));
    const challenge = Buffer.alloc(16, 9);
    expect(vncResponse(challenge, 'password')).toEqual(vncResponse(challenge, 'passwordlonger'));
    expect(vncResponse(challenge, 'passwore')).not.toEqual(vncResponse(challenge, 'password'));
  });

  it('are asked for their password and left again', async () => {
    const password = 'secret12';
    const challenge = Buffer.alloc(16, 7);
    const server = createServer((socket) => {
      const expected = vncResponse(challenge, password);
      let seen = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.write('RFB 003.008\n');
      socket.on('data', (bytes: Buffer) => {
        seen = Buffer.concat([seen, bytes]);
        if (seen.length === 12) socket.write(Buffer.from([2, 2, 16]));
        if (seen.length === 13) socket.write(challenge);
        if (seen.length === 29) socket.write(Buffer.from([0, 0, 0, seen.subarray(13).equals(expected) ? 0 : 1]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await rfbHandshake('127.0.0.1', port, password, 1_000)).toEqual({
      version: 'RFB 003.008',
      securityTypes: [2, 16],
      authenticated: true,
    });
    expect((await rfbHandshake('127.0.0.1', port, 'wrong', 1_000)).authenticated).toBe(false);
    server.close();
    await expect(rfbHandshake('127.0.0.1', port, password, 1_000)).rejects.toThrow('nothing listens there');
  });

  it('and services that hang, lie or talk without end are given up', async () => {
    const hang = createServer((socket) => socket.on('error', () => undefined));
    const liar = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
    });
    const flood = createServer((socket) => {
      socket.on('error', () => undefined);
      for (let index = 0; index < 64; index++) socket.write(Buffer.alloc(16_384, 120));
    });
    const ports = await Promise.all(
      [hang, liar, flood].map(
        (server) =>
          new Promise<number>((resolve) =>
            server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
          ),
      ),
    );
    await expect(rfbHandshake('127.0.0.1', ports[0] ?? 0, 'x', 200)).rejects.toThrow('no answer in time');
    await expect(rfbHandshake('127.0.0.1', ports[1] ?? 0, 'x', 500)).rejects.toThrow('not a screen');
    expect((await readBanner('127.0.0.1', ports[2] ?? 0, 500)).length).toBe(255);
    for (const server of [hang, liar, flood]) server.close();
  });
});
