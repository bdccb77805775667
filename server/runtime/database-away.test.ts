import { expect, it } from 'vitest';
import { isDatabaseAway } from './database-away.ts';

const coded = (code: string, more: object = {}) => Object.assign(new Error('x'), { code, ...more });

it.each([
  ['57P01 admin_shutdown', coded('57P01')],
  ['57P03 cannot_connect_now', coded('57P03')],
  ['08006 connection_failure', coded('08006')],
  ['53300 too_many_connections', coded('53300')],
  ['a refused socket', coded('ECONNREFUSED', { syscall: 'connect' })],
  ['a socket file that is gone', coded('ENOENT', { syscall: 'connect' })],
  ['a broken pipe', coded('EPIPE', { syscall: 'write' })],
  ['a cut connection', new Error('Connection terminated unexpectedly')],
  ['a client used after it was cut', new Error('Client has encountered a connection error and is not queryable')],
  ['a closed client', new Error('Client was closed and is not queryable')],
  ['a pool without a free connection', new Error('timeout exceeded when trying to connect')],
  ['one that is wrapped', new Error('begin failed', { cause: coded('57P01') })],
])('A7: %s is a database that is away', (_title, error) => {
  expect(isDatabaseAway(error)).toBe(true);
});

it.each([
  ['a constraint', coded('23505')],
  ['a syntax error', coded('42601')],
  ['a missing file', coded('ENOENT', { syscall: 'open' })],
  ['any other error', new Error('no')],
  ['a text', 'Connection terminated'],
])('A7: %s is not', (_title, error) => {
  expect(isDatabaseAway(error)).toBe(false);
});
