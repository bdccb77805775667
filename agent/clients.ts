/**
 * Connections of people to the user plane. Caddy ends them all or none, the kernel one alone: both ends see a reset, and
 * Caddy gives up what it was bringing. Only those to this one port are ever touched, whoever asks.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { CutClient } from '#contract/agent.ts';
import { BerthError } from '#domain/errors.ts';

const run = promisify(execFile);
const SECONDS_MAX = 5;
/** Of one run: the filter is a program in the kernel, and it must fit. */
const AT_ONCE_MAX = 32;

/** The client's end as ss writes it. */
const end = ({ address, port }: CutClient): string => `dst ${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Answers how many there were: one that is closed already is none. Errors: unavailable. */
export async function cutClients(httpsPort: number, clients: readonly CutClient[]): Promise<number> {
  let cut = 0;
  for (let at = 0; at < clients.length; at += AT_ONCE_MAX) {
    const these = clients
      .slice(at, at + AT_ONCE_MAX)
      .map(end)
      .join(' or ');
    const filter = `sport = :${httpsPort} and ( ${these} )`.split(' ');
    const args = ['--kill', '--tcp', '--numeric', '--no-header', 'state', 'connected', 'exclude', 'time-wait'];
    try {
      const { stdout } = await run('ss', [...args, ...filter], { timeout: SECONDS_MAX * 1000 });
      cut += stdout.split('\n').filter((line) => line.trim() !== '').length;
    } catch (error) {
      throw new BerthError('unavailable', 'The host cannot end connections now.', { cause: error });
    }
  }
  return cut;
}
