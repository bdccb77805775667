/** `berth status`: what runs, healthy or not; exit code 1 when something is not. */
import { engineInfo } from '../engine.ts';
import { probe } from '../health.ts';
import { installed } from '../installed.ts';
import { originOf } from '../layout.ts';
import { dataDirOf, parse } from '../options.ts';
import { healthOf } from '../process-parts.ts';
import { processInfo } from '../proctable.ts';

const PAGE_BYTES = 4096;

export async function statusCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, { 'data-dir': { type: 'string' }, json: { type: 'boolean', default: false } });
  const { config, layout, manager } = installed(dataDirOf(values['data-dir'] as string | undefined));
  const statuses = (await manager.status()) ?? [];
  const probes = healthOf(layout);
  const processes = await Promise.all(
    statuses.map(async (status) => ({
      name: status.name,
      state: status.state,
      healthy: await probe(probes[status.name] ?? { type: 'none' }),
      pid: status.pid,
      startedAt: status.startedAt === null ? null : new Date(status.startedAt).toISOString(),
      restarts: status.restarts,
      adopted: status.adopted,
      lastExit: status.lastExit,
      memoryBytes: status.pid === null ? null : (processInfo(status.pid)?.residentPages ?? 0) * PAGE_BYTES,
    })),
  );
  const engine = await engineInfo();
  const running = processes.length > 0 && processes.every((one) => one.healthy);
  const consoleUrl = `${originOf(config.domain, config.ports.control)}/`;
  const report = {
    running,
    supervisor: manager.kind,
    installation: config.installation,
    consoleUrl,
    apiUrl: `${consoleUrl}api/v1`,
    domain: config.domain,
    ports: config.ports,
    dataDir: layout.data,
    caCertificate: layout.caCertificate,
    engine: engine === null ? null : { name: 'incus', version: engine.version },
    processes,
  };
  if (values.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(text(report));
  return running ? 0 : 1;
}

type Report = {
  running: boolean;
  installation: string;
  supervisor: string;
  consoleUrl: string;
  engine: { version: string } | null;
  processes: {
    name: string;
    state: string;
    healthy: boolean;
    pid: number | null;
    restarts: number;
    memoryBytes: number | null;
    startedAt: string | null;
    lastExit: string | null;
  }[];
};

function text(report: Report): string {
  const lines = [
    `Berth ${report.installation} ${report.running ? 'runs' : 'does not run as it should'} (${report.supervisor}): ${report.consoleUrl}`,
  ];
  if (report.processes.length === 0) lines.push('Nothing is running. ./berth up starts it.');
  for (const one of report.processes) {
    const memory =
      one.memoryBytes === null || one.memoryBytes === 0 ? '' : `${Math.round(one.memoryBytes / 1024 ** 2)} MB`;
    const since = one.startedAt === null ? '' : `since ${one.startedAt.slice(0, 19).replace('T', ' ')}`;
    const restarts =
      one.restarts === 0 || one.state === 'machine'
        ? ''
        : `${one.restarts} restarts${one.lastExit === null ? '' : `, last: ${one.lastExit}`}`;
    const state = one.state === 'machine' ? "the machine's" : one.state;
    lines.push(
      `  ${one.healthy ? '✓' : '✗'} ${one.name.padEnd(11)} ${state.padEnd(13)} ${String(one.pid ?? '-').padStart(8)} ${memory.padStart(7)}  ${since}  ${restarts}`.trimEnd(),
    );
  }
  lines.push(`  engine: ${report.engine === null ? 'does not answer' : `Incus ${report.engine.version}`}`);
  return `${lines.join('\n')}\n`;
}
