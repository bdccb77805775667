/** Edge's side of the mock: a little shell for terminals, a drawn desktop over RFB, and log lines that keep coming. */
import type { Server, ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { serveRfb } from './rfb.ts';
import { sampleLine, sampleLog } from './sample-log.ts';
import type { MockState } from './state.ts';

const PATH = /^\/edge\/v1\/instances\/(ins_[0-9a-z]+)\/(screen|terminal|logs)$/;
const SCROLLBACK_MAX = 64 * 1024;

/** A picture of a desktop with a different wallpaper per instance. */
export function thumbnail(state: MockState, id: string, response: ServerResponse): void {
  const row = state.instances.find((each) => each.id === id);
  if (row === undefined || row.kind !== 'desktop' || row.observed !== 'running') {
    response.statusCode = 404;
    response.end();
    return;
  }
  const hue = 170 + (row.name.charCodeAt(0) % 8) * 18;
  response.setHeader('content-type', 'image/svg+xml');
  response.setHeader('cache-control', 'no-store');
  response.end(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 300"><defs><linearGradient id="w" x2="0" y2="1"><stop stop-color="hsl(${hue} 45% 32%)"/><stop offset="1" stop-color="hsl(${hue + 25} 55% 16%)"/></linearGradient></defs><rect width="480" height="300" fill="url(#w)"/><path d="M0 220c80-40 150 20 240-10s160-30 240 0v90H0z" fill="hsl(${hue} 40% 24%)"/><rect x="60" y="40" width="290" height="180" rx="6" fill="#f8fafb"/><rect x="60" y="40" width="290" height="22" rx="6" fill="#dbe4e8"/><g fill="#b9c7ce"><rect x="80" y="82" width="180" height="8"/><rect x="80" y="100" width="230" height="6"/><rect x="80" y="114" width="210" height="6"/><rect x="80" y="128" width="160" height="6"/></g><rect x="250" y="130" width="190" height="120" rx="6" fill="#16222b"/><g fill="#6fd79b"><rect x="264" y="152" width="70" height="5"/><rect x="264" y="166" width="110" height="5"/></g><rect y="282" width="480" height="18" fill="#0d141acc"/></svg>`,
  );
}

type Session = { scrollback: string; line: string; user: string };
const sessions = new Map<string, Session>();

export function attachEdge(server: Server | import('node:http2').Http2SecureServer, state: () => MockState): void {
  const sockets = new WebSocketServer({ noServer: true });
  (server as Server).on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://mock');
    const found = PATH.exec(url.pathname);
    if (found === null) return;
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const row = state().instances.find((each) => each.id === found[1]);
      if (row === undefined || row.observed !== 'running') {
        ws.close(4409, 'not running');
        return;
      }
      if (found[2] === 'screen') serveRfb(ws, row.name);
      else if (found[2] === 'logs') {
        for (const line of sampleLog(Number(url.searchParams.get('lines') ?? 200))) ws.send(JSON.stringify(line));
        let count = 0;
        const timer = setInterval(() => ws.send(JSON.stringify(sampleLine(count++, Date.now()))), 900);
        ws.on('close', () => clearInterval(timer));
      } else {
        const user = url.searchParams.get('user') ?? 'berth';
        const key = `${row.id}:${url.searchParams.get('session')}:${user}`;
        const known = sessions.get(key);
        const session = known ?? { scrollback: '', line: '', user };
        sessions.set(key, session);
        const prompt =
          user === 'root'
            ? `\x1b[1;31mroot@${row.name}\x1b[0m:~# `
            : `\x1b[1;36mberth@${row.name}\x1b[0m:\x1b[1;34m~\x1b[0m$ `;
        const write = (text: string) => {
          session.scrollback = (session.scrollback + text).slice(-SCROLLBACK_MAX);
          ws.send(Buffer.from(text));
        };
        ws.send(
          JSON.stringify({
            type: 'ready',
            session: url.searchParams.get('session'),
            user,
            resumed: known !== undefined,
          }),
        );
        if (known === undefined)
          write(
            `Debian GNU/Linux 12 on ${row.name} (${row.size.cpus} CPU)\r\nThis is the mock: try ls, uname, docker ps, exit.\r\n\r\n${prompt}`,
          );
        else ws.send(Buffer.from(session.scrollback));
        ws.on('message', (data, binary) => {
          if (!binary) return;
          for (const char of data.toString()) {
            if (char === '\r') {
              write('\r\n');
              const words = session.line.trim();
              session.line = '';
              if (words === 'exit') {
                sessions.delete(key);
                ws.send(JSON.stringify({ type: 'exit', code: 0 }));
                ws.close(1000);
                return;
              }
              write(reply(words, row.name) + prompt);
            } else if (char === '\x7f') {
              if (session.line !== '') {
                session.line = session.line.slice(0, -1);
                write('\b \b');
              }
            } else if (char === '\x03') {
              session.line = '';
              write(`^C\r\n${prompt}`);
            } else {
              session.line += char;
              write(char);
            }
          }
        });
      }
    });
  });
}

function reply(words: string, name: string): string {
  if (words === '') return '';
  if (words === 'ls') return '\x1b[1;34mDesktop  Documents  projects\x1b[0m  compose.yaml  notes.md\r\n';
  if (words === 'uname -a' || words === 'uname')
    return `Linux ${name} 6.1.0-41-amd64 #1 SMP Debian x86_64 GNU/Linux\r\n`;
  if (words === 'docker ps')
    return 'CONTAINER ID   IMAGE        STATUS       PORTS                  NAMES\r\n3f9a1c77d0be   nginx:1.29   Up 9 days    0.0.0.0:3000->80/tcp   status-web-1\r\n';
  if (words.startsWith('echo ')) return `${words.slice(5)}\r\n`;
  return `bash: ${words.split(' ')[0]}: command not found\r\n`;
}
