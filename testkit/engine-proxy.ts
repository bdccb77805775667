/** Sits between an agent and its engine's socket, passes everything on and remembers the requests that went through. */
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

export type EngineProxy = {
  path: string;
  requests: string[];
  /**
   * Requests since the first `start` ones, without what the agent does by itself: looking at its networks and at the
   * engine's metrics, and writing rules anew when this machine got another address (other tests make bridges).
   */
  since(start: number): string[];
  close(): Promise<void>;
};

const BY_ITSELF = /^(GET \/1\.0\/(network-acls|networks|projects|events|metrics)|PUT \/1\.0\/network-acls)\b/;

const REQUEST_LINE = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (\S+) HTTP\/1\.1/;

export async function engineProxy(path: string, target: string): Promise<EngineProxy> {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const engine = connect(target);
    for (const socket of [client, engine]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => {
        client.destroy();
        engine.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      const line = REQUEST_LINE.exec(bytes.subarray(0, 4096).toString('latin1'));
      if (line !== null) requests.push(`${line[1]} ${line[2]}`);
      engine.write(bytes);
    });
    client.on('end', () => engine.end());
    engine.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    requests,
    since: (start) => requests.slice(start).filter((request) => !BY_ITSELF.test(request)),
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
    },
  };
}
