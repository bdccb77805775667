/**
 * systemd as the supervisor, on machines where it is pid 1: one hardened unit per process. The engine's own units come
 * from the distribution and are only started.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { groupName } from './accounts.ts';
import { writeFileAtomic } from './files.ts';
import type { ProcessSpec, ProcessState, ProcessStatus } from './process-spec.ts';
import { must, run } from './run.ts';

export const UNIT_DIR = '/etc/systemd/system';

export const unitName = (installation: string, name: string): string => `berth-${installation}-${name}.service`;

/** systemd's own quoting: inside double quotes, with specifiers and variables made harmless. */
export function quote(word: string): string {
  const escaped = word.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/%/g, '%%').replace(/\$/g, '$$$$');
  return /^[A-Za-z0-9_@:=/.,+-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** The text of a unit file. Pure. `writable` are the only folders the process may write. */
export function unitFile(installation: string, spec: ProcessSpec, writable: readonly string[]): string {
  const after = spec.name === 'postgres' ? [] : [unitName(installation, 'postgres')];
  if (spec.name === 'agent') after.push('incus.service', 'lxcfs.service');
  const lines = [
    '# Written by berth up; changes are lost.',
    '[Unit]',
    `Description=Berth ${installation} ${spec.name}`,
    `After=network.target ${after.join(' ')}`.trim(),
    'StartLimitIntervalSec=0',
    `X-Berth-Fingerprint=${spec.fingerprint}`,
    '',
    '[Service]',
    'Type=exec',
    ...(spec.prepare?.type === 'postgres'
      ? [`ExecStartPre=-+/bin/rm -f ${quote(`${spec.prepare.socketDir}/.s.PGSQL.5432.lock`)}`]
      : []),
    `ExecStart=${spec.argv.map(quote).join(' ')}`,
    ...Object.entries(spec.env).map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
    `WorkingDirectory=${spec.cwd}`,
    `UMask=${spec.umask.toString(8).padStart(4, '0')}`,
    `KillSignal=${spec.stopSignal}`,
    'KillMode=mixed',
    `TimeoutStopSec=${Math.ceil(spec.stopTimeoutMs / 1000)}`,
    'Restart=always',
    'RestartSec=200ms',
    'RestartSteps=8',
    'RestartMaxDelaySec=30s',
    `StandardOutput=append:${spec.logFile}`,
    'StandardError=inherit',
    'LimitNOFILE=65536',
  ];
  if (spec.user !== null) {
    const caps = spec.capabilities.map((name) => `CAP_${name.toUpperCase()}`).join(' ');
    lines.push(
      `User=${spec.user.name}`,
      ...(spec.user.groups.length === 0 ? [] : [`SupplementaryGroups=${spec.user.groups.map(groupName).join(' ')}`]),
      'NoNewPrivileges=yes',
      `CapabilityBoundingSet=${caps}`,
      `AmbientCapabilities=${caps}`,
      'ProtectSystem=strict',
      'ProtectHome=read-only',
      `ReadWritePaths=${writable.map(quote).join(' ')}`,
      'PrivateTmp=yes',
      'PrivateDevices=yes',
      'ProtectKernelTunables=yes',
      'ProtectKernelModules=yes',
      'ProtectKernelLogs=yes',
      'ProtectControlGroups=yes',
      'ProtectClock=yes',
      'ProtectHostname=yes',
      'RestrictNamespaces=yes',
      'RestrictRealtime=yes',
      'RestrictSUIDSGID=yes',
      'LockPersonality=yes',
      'SystemCallArchitectures=native',
      `RestrictAddressFamilies=AF_UNIX${spec.name === 'postgres' ? '' : ' AF_INET AF_INET6 AF_NETLINK'}`,
    );
  }
  lines.push('', '[Install]', 'WantedBy=multi-user.target', '');
  return lines.join('\n');
}

const logTimerName = (installation: string): string => `berthlogs-${installation}.timer`;

/** Service and timer that keep the log files below their bound. */
function logTimer(installation: string, logs: string): [service: string, timer: string] {
  const entry = fileURLToPath(new URL('rotate-main.ts', import.meta.url));
  const service = [
    '[Unit]',
    `Description=Berth ${installation}: bound the log files`,
    '[Service]',
    'Type=oneshot',
    `ExecStart=${[process.execPath, entry, logs].map(quote).join(' ')}`,
    '',
  ];
  const timer = ['[Timer]', 'OnBootSec=5min', 'OnUnitActiveSec=5min', '[Install]', 'WantedBy=timers.target', ''];
  return [service.join('\n'), timer.join('\n')];
}

async function isActive(unit: string): Promise<boolean> {
  return (await run(['systemctl', 'is-active', '--quiet', unit], { timeoutMs: 20_000 })).code === 0;
}

function isEnabled(unit: string, target = 'multi-user.target'): boolean {
  return existsSync(join(UNIT_DIR, `${target}.wants`, unit));
}

export class SystemdManager {
  readonly #installation: string;
  readonly #writable: (name: string) => string[];
  readonly #logs: string;

  constructor(installation: string, logs: string, writable: (name: string) => string[]) {
    this.#installation = installation;
    this.#logs = logs;
    this.#writable = writable;
  }

  /** Writes and starts units; restarts those whose program or configuration changed. Engine daemons: their own units. */
  async apply(specs: readonly ProcessSpec[], only?: readonly string[]): Promise<void> {
    const own = specs.filter((spec) => !spec.shared && (only === undefined || only.includes(spec.name)));
    const shared = specs.filter((spec) => spec.shared && (only === undefined || only.includes(spec.name)));
    for (const spec of shared) {
      const unit = spec.name === 'incusd' ? 'incus.service' : `${spec.name}.service`;
      await must(['systemctl', 'start', unit]);
    }
    const changed: string[] = [];
    for (const spec of own) {
      const file = join(UNIT_DIR, unitName(this.#installation, spec.name));
      const text = unitFile(this.#installation, spec, this.#writable(spec.name));
      if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
      writeFileAtomic(file, text, 0o644);
      changed.push(unitName(this.#installation, spec.name));
    }
    if (changed.length > 0) await must(['systemctl', 'daemon-reload']);
    for (const spec of own) {
      const unit = unitName(this.#installation, spec.name);
      // Each enable makes systemd read everything again: seconds on a busy machine, so only where it is needed.
      if (!changed.includes(unit) && (await isActive(unit)) && isEnabled(unit)) continue;
      await run(['systemctl', 'reset-failed', unit], { timeoutMs: 20_000 });
      if (!isEnabled(unit)) await must(['systemctl', 'enable', '--quiet', unit]);
      await must(['systemctl', changed.includes(unit) ? 'restart' : 'start', unit], { timeoutMs: 120_000 });
    }
    if (only === undefined) await this.#keepLogsBounded();
  }

  /** A timer that rotates the log files; the built-in supervisor does this itself. */
  async #keepLogsBounded(): Promise<void> {
    const unit = logTimerName(this.#installation);
    const service = join(UNIT_DIR, unit.replace(/timer$/, 'service'));
    const timer = join(UNIT_DIR, unit);
    const [serviceText, timerText] = logTimer(this.#installation, this.#logs);
    const same = [service, timer].every((file) => existsSync(file)) && readFileSync(service, 'utf8') === serviceText;
    if (same && isEnabled(unit, 'timers.target')) return;
    writeFileAtomic(service, serviceText, 0o644);
    writeFileAtomic(timer, timerText, 0o644);
    await must(['systemctl', 'daemon-reload']);
    await must(['systemctl', 'enable', '--now', '--quiet', unit]);
  }

  async restart(name: string): Promise<void> {
    await must(['systemctl', 'restart', unitName(this.#installation, name)], { timeoutMs: 120_000 });
  }

  /** Stops every unit of this installation and keeps them from starting at boot. */
  async stop(): Promise<void> {
    const units = this.units();
    if (units.length > 0) await must(['systemctl', 'disable', '--now', '--quiet', ...units], { timeoutMs: 120_000 });
    const timer = logTimerName(this.#installation);
    if (isEnabled(timer, 'timers.target')) await must(['systemctl', 'disable', '--now', '--quiet', timer]);
  }

  units(): string[] {
    const prefix = `berth-${this.#installation}-`;
    return readdirSync(UNIT_DIR).filter((name) => name.startsWith(prefix) && name.endsWith('.service'));
  }

  /** Takes the unit files away; the processes are stopped before. */
  async forget(): Promise<void> {
    const timer = logTimerName(this.#installation);
    for (const unit of [...this.units(), timer, timer.replace(/timer$/, 'service')])
      rmSync(join(UNIT_DIR, unit), { force: true });
    await must(['systemctl', 'daemon-reload']);
  }

  async status(): Promise<ProcessStatus[]> {
    const statuses: ProcessStatus[] = [];
    for (const unit of this.units()) {
      const properties = 'ActiveState,SubState,MainPID,NRestarts,ExecMainStartTimestamp,ExecMainStatus';
      const { stdout } = await run(['systemctl', 'show', '--timestamp=unix', '-p', properties, unit], {
        timeoutMs: 10_000,
      });
      const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
      const pid = Number(value('MainPID'));
      const states: Record<string, ProcessState> = {
        active: 'running',
        activating: value('SubState') === 'auto-restart' ? 'waiting' : 'starting',
        deactivating: 'stopping',
      };
      const started = Number(value('ExecMainStartTimestamp').replace('@', ''));
      const text = readFileSync(join(UNIT_DIR, unit), 'utf8');
      statuses.push({
        name: unit.slice(`berth-${this.#installation}-`.length, -'.service'.length),
        state: states[value('ActiveState')] ?? 'stopped',
        pid: pid > 0 ? pid : null,
        startedAt: pid > 0 && started > 0 ? started * 1000 : null,
        restarts: Number(value('NRestarts')) || 0,
        adopted: false,
        lastExit: value('ExecMainStatus') === '0' || pid > 0 ? null : `exit code ${value('ExecMainStatus')}`,
        nextStartInMs: null,
        fingerprint: /^X-Berth-Fingerprint=(.*)$/m.exec(text)?.[1] ?? '',
      });
    }
    return statuses;
  }
}
