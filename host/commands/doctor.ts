import { examine, type Finding } from '../doctor.ts';
import { installed } from '../installed.ts';
import { DEFAULT_DOMAIN, DEFAULT_PORTS, loadHostConfig } from '../layout.ts';
import { dataDirOf, parse } from '../options.ts';

const MARKS = { ok: '✓', warn: '!', fail: '✗' };

export async function doctorCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, { 'data-dir': { type: 'string' }, json: { type: 'boolean', default: false } });
  const dataDir = dataDirOf(values['data-dir'] as string | undefined);
  const installation = hasInstallation(dataDir) ? installed(dataDir) : null;
  const findings = await examine({
    installation,
    dataDir,
    ports: installation?.config.ports ?? DEFAULT_PORTS,
    domain: installation?.config.domain ?? DEFAULT_DOMAIN,
  });
  const healthy = findings.every((finding) => finding.state !== 'fail');
  if (values.json === true) process.stdout.write(`${JSON.stringify({ healthy, findings })}\n`);
  else process.stdout.write(`${findings.map(line).join('\n')}\n\n${verdict(findings)}\n`);
  return healthy ? 0 : 1;
}

function hasInstallation(dataDir: string): boolean {
  try {
    return loadHostConfig(dataDir) !== null;
  } catch {
    return false;
  }
}

function line(finding: Finding): string {
  const text = `${MARKS[finding.state]} ${finding.topic.padEnd(16)} ${finding.text}`;
  return finding.todo === null ? text : `${text}\n  ${' '.repeat(17)}-> ${finding.todo}`;
}

function verdict(findings: readonly Finding[]): string {
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length;
  if (count('fail') > 0) return `${count('fail')} to repair, ${count('warn')} to know about.`;
  return count('warn') > 0 ? `Fine, with ${count('warn')} things to know about.` : 'Everything is fine.';
}
