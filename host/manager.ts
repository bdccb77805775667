/** Who keeps the processes running: systemd where it is pid 1, else the built-in supervisor. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomic } from './files.ts';
import type { HostConfig, Layout } from './layout.ts';
import type { ProcessSpec, ProcessStatus, SupervisorFile } from './process-spec.ts';
import { processInfo, waitForEnd } from './proctable.ts';
import {
  applyProcesses,
  leaveProcesses,
  restartProcess,
  startSupervisor,
  stopProcesses,
  supervisorStatus,
} from './supervisor-client.ts';
import { SystemdManager } from './systemd.ts';

export type Manager = {
  kind: 'systemd' | 'supervisor';
  apply(specs: readonly ProcessSpec[], only?: readonly string[]): Promise<void>;
  restart(name: string): Promise<void>;
  /** Stops Berth's processes; instances and the engine keep running. */
  stop(): Promise<void>;
  /** Removes what it put into the machine's own configuration, for good. */
  forget(): Promise<void>;
  /** null when nothing is managed at the moment. */
  status(): Promise<ProcessStatus[] | null>;
};

/** True where systemd is pid 1 and nobody asked for the built-in supervisor. */
export const systemdRuns = (): boolean =>
  existsSync('/run/systemd/system') && process.env.BERTH_SUPERVISOR !== 'builtin';

export function managerFor(config: HostConfig, layout: Layout): Manager {
  return systemdRuns() ? systemdManager(config, layout) : supervisorManager(layout);
}

function systemdManager(config: HostConfig, layout: Layout): Manager {
  const writable = (name: string): string[] => {
    const folders: Record<string, string[]> = {
      postgres: [layout.postgres, layout.sockets.postgres],
      server: [dirname(layout.sockets.server), dirname(layout.sockets.serverSsh), layout.sshRecordings],
      edge: [dirname(layout.sockets.edge), dirname(layout.sockets.edgeSsh), layout.edge],
      'ssh-gateway': [dirname(layout.sockets.sshGateway), layout.sshRecordings],
      resolver: [dirname(layout.sockets.resolver), layout.resolver],
      caddy: [dirname(layout.sockets.caddyAdmin), layout.caddy],
    };
    return folders[name] ?? [layout.data];
  };
  const systemd = new SystemdManager(config.installation, layout.logs, writable);
  return {
    kind: 'systemd',
    apply: (specs, only) => systemd.apply(specs, only),
    restart: (name) => systemd.restart(name),
    stop: () => systemd.stop(),
    forget: () => systemd.forget(),
    status: async () => {
      const statuses = await systemd.status();
      return statuses.length === 0 ? null : statuses;
    },
  };
}

function supervisorManager(layout: Layout): Manager {
  return {
    kind: 'supervisor',
    apply: async (specs, only) => {
      writeSupervisorFile(layout, specs);
      await applyProcesses(layout, only);
    },
    restart: async (name) => {
      await restartProcess(layout, name);
    },
    stop: async () => {
      const status = await supervisorStatus(layout);
      if (status === null) return;
      const startTime = processInfo(status.pid)?.startTime ?? 0;
      await stopProcesses(layout);
      await waitForEnd(status.pid, startTime, 10_000);
    },
    forget: async () => {},
    status: async () => (await supervisorStatus(layout))?.processes ?? null,
  };
}

export function writeSupervisorFile(layout: Layout, processes: readonly ProcessSpec[]): void {
  const file: SupervisorFile = {
    version: 1,
    pidDir: layout.pids,
    controlSocket: layout.sockets.supervisor,
    processes: [...processes],
  };
  writeFileAtomic(layout.processes, `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

/** A running supervisor of this code: the one there is, or a new one that takes over from an old one's. */
export async function ensureSupervisor(layout: Layout, code: string): Promise<'adopted' | 'started' | 'replaced'> {
  const status = await supervisorStatus(layout);
  if (status !== null && status.code === code) return 'adopted';
  if (status !== null) {
    const startTime = processInfo(status.pid)?.startTime ?? 0;
    await leaveProcesses(layout);
    await waitForEnd(status.pid, startTime, 10_000);
  }
  await startSupervisor(layout, code);
  return status === null ? 'started' : 'replaced';
}
