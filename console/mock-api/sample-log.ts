/** Log lines a server could have written. */
import { iso } from './state.ts';

const messages: [unit: string, priority: number, message: string][] = [
  ['systemd', 6, 'Started docker.service - Docker Application Container Engine.'],
  ['sshd', 6, 'Accepted publickey for berth from 10.64.0.1 port 51234 ssh2: ED25519 SHA256:6kV2…'],
  ['dockerd', 6, 'level=info msg="API listen on /run/docker.sock"'],
  ['kernel', 4, 'audit: rate limit exceeded'],
  ['cron', 6, '(root) CMD (cd / && run-parts --report /etc/cron.hourly)'],
  ['nginx', 6, '198.51.100.23 - - "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.33"'],
  ['nginx', 3, 'connect() failed (111: Connection refused) while connecting to upstream, client: 198.51.100.9'],
  ['systemd', 5, 'apt-daily.service: Deactivated successfully.'],
  ['dockerd', 4, 'level=warning msg="error locating sandbox id 9f0c: sandbox not found"'],
  ['systemd', 6, 'Finished logrotate.service - Rotate log files.'],
];
export function sampleLine(index: number, at: number) {
  const [unit, priority, message] = messages[index % messages.length]!;
  return { ts: iso(at), unit, priority, message };
}
export function sampleLog(lines: number) {
  return Array.from({ length: lines }, (_, index) => sampleLine(index * 7 + 3, Date.now() - (lines - index) * 4_700));
}
