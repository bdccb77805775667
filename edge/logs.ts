/** Followed logs: the agent's lines, passed on as they are; a slow reader holds the agent's socket back. */
import type { WebSocket } from 'ws';
import { closeCodes } from '#contract/edge.ts';
import type { AgentClient } from './agent.ts';
import { shut } from './doors.ts';

const HIGH_BYTES = 1024 * 1024;
const LOW_BYTES = 128 * 1024;

/** Serves one reader until either side ends. The socket's entry was decided and registered before. */
export function followLogs(
  agent: Pick<AgentClient, 'logs'>,
  reader: WebSocket,
  instanceId: string,
  query: { lines: number; of?: string | undefined },
): void {
  const source = agent.logs(instanceId, query);
  source.on('message', (data, isBinary) => {
    if (isBinary || reader.readyState !== reader.OPEN) return;
    reader.send((data as Buffer).toString('utf8'), () => {
      if (source.isPaused && reader.bufferedAmount < LOW_BYTES) source.resume();
    });
    if (reader.bufferedAmount > HIGH_BYTES) source.pause();
  });
  source.on('error', () => {});
  source.on('close', (code) => {
    if (code === 4409) shut(reader, closeCodes.notRunning, 'It does not run.');
    else if (code === 1000) shut(reader, 1000, 'The log has ended.');
    else shut(reader, closeCodes.upstream, 'The connection to the machine was lost.');
  });
  reader.on('close', () => source.terminate());
}
