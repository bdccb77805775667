/** `berth test`: installs what the tests need, runs everything, ends with one line `N passed, N failed`. */
import { join } from 'node:path';
import { checks, runChecks } from '../../tools/check.ts';
import { ensureSubids } from '../accounts.ts';
import { canAsk, confirm } from '../ask.ts';
import { INCUS_SOCKET } from '../engine.ts';
import { waitHealthy } from '../health.ts';
import { checkout, layoutOf } from '../layout.ts';
import { gatherFacts, readOs } from '../machine.ts';
import { systemdRuns } from '../manager.ts';
import { parse, UsageError } from '../options.ts';
import { caddyCandidates, installPackages } from '../packages.ts';
import { describePlan, planMachine, TEST_PACKAGES, wantedPackages } from '../plan.ts';
import { engineDaemons } from '../processes.ts';
import { Refusal } from '../refusal.ts';
import { must } from '../run.ts';
import { runSuite, type SuiteResult } from '../suites.ts';
import { Supervisor } from '../supervisor.ts';

const MINUTE = 60_000;
/** What a suite may take before it is stopped and counted as failed. */
const LIMITS: Record<string, number> = {
  unit: 10 * MINUTE,
  console: 10 * MINUTE,
  integration: 45 * MINUTE,
  e2e: 90 * MINUTE,
};
const QUICK = ['check', 'unit', 'console'];
const REAL = ['integration', 'e2e'];

export async function testCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, {
    only: { type: 'string', multiple: true },
    fast: { type: 'boolean', default: false },
    yes: { type: 'boolean', short: 'y', default: false },
  });
  const all = [...QUICK, ...REAL];
  const wanted =
    (values.only as string[] | undefined)?.flatMap((text) => text.split(',')) ?? (values.fast === true ? QUICK : all);
  const strange = wanted.find((name) => !all.includes(name));
  if (strange !== undefined) throw new UsageError(`--only knows ${all.join(', ')}, not ${strange}`);
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const results: SuiteResult[] = [];
  const env = {
    ...process.env,
    PATH: `${join(checkout, 'node_modules/.bin')}:${process.env.PATH ?? ''}`,
    NODE_ENV: 'test',
    FORCE_COLOR: '0',
  };

  if (wanted.some((name) => REAL.includes(name))) await prepareMachine(print, values.yes === true);

  // The quick ones are pure: side by side. The others share the engine and the two cores: one after the other.
  const quick: Promise<SuiteResult>[] = [];
  if (wanted.includes('check')) quick.push(runAllChecks(print));
  for (const name of ['unit', 'console']) {
    if (wanted.includes(name)) quick.push(runSuite(name, { print, env, timeoutMs: LIMITS[name] ?? 10 * MINUTE }));
  }
  results.push(...(await Promise.all(quick)));
  for (const name of REAL) {
    if (wanted.includes(name))
      results.push(await runSuite(name, { print, env, timeoutMs: LIMITS[name] ?? 60 * MINUTE }));
  }

  print('');
  for (const result of results) {
    const skipped = result.skipped === 0 ? '' : `, ${result.skipped} skipped`;
    print(
      `${result.failed === 0 ? '✓' : '✗'} ${result.name}: ${result.passed} passed, ${result.failed} failed${skipped} (${Math.round(result.seconds)} s)`,
    );
    for (const test of result.unsteady) print(`! ${result.name}: passed only when run again alone: ${test}`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  print(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function runAllChecks(print: (line: string) => void): Promise<SuiteResult> {
  const started = Date.now();
  const results = await runChecks(Object.keys(checks), (line) => print(`[check] ${line}`));
  const passed = results.filter((result) => result.ok).length;
  return {
    name: 'check',
    passed,
    failed: results.length - passed,
    skipped: 0,
    unsteady: [],
    seconds: (Date.now() - started) / 1000,
  };
}

/** The engine, Chromium and friends by apt as `up` does it, and a running engine. */
async function prepareMachine(print: (line: string) => void, yes: boolean): Promise<void> {
  const packages = wantedPackages(readOs(), TEST_PACKAGES);
  const facts = await gatherFacts(packages, caddyCandidates('/var/lib/berth/bin'));
  const plan = { ...planMachine(facts, TEST_PACKAGES), caddy: null, registry: false };
  if (plan.packages.length > 0) {
    if (plan.refusals.length > 0) throw new Refusal(`The tests need a real engine.\n${plan.refusals.join('\n')}`);
    print('The tests need, on this machine:');
    for (const line of describePlan(plan)) print(`  - ${line}`);
    if (!yes && canAsk() && !(await confirm('Install?')))
      throw new Refusal('Nothing was changed. --fast runs what needs nothing.');
    ensureSubids();
    let shown = Date.now();
    await installPackages(plan, (line) => {
      if (Date.now() - shown < 10_000) return;
      shown = Date.now();
      print(`[apt] ${line}`);
    });
  }
  if (process.getuid?.() === 0) await startEngine(print);
}

/** Starts lxcfs and incusd where nothing answers; they keep running, as they do for `up`. */
async function startEngine(print: (line: string) => void): Promise<void> {
  if (await waitHealthy({ type: 'socket', socket: INCUS_SOCKET }, 0)) return;
  print('Starting the engine ...');
  const layout = layoutOf('/var/tmp/berth-test-engine');
  if (systemdRuns()) await must(['systemctl', 'start', 'lxcfs.service', 'incus.service']);
  else {
    const supervisor = new Supervisor({ pidDir: layout.pids, log: () => {} });
    await supervisor.apply(engineDaemons(layout));
    await waitHealthy({ type: 'http', socket: INCUS_SOCKET, path: '/1.0' }, 90_000);
    supervisor.leave();
  }
  if (!(await waitHealthy({ type: 'http', socket: INCUS_SOCKET, path: '/1.0' }, 90_000))) {
    throw new Error(`Incus does not answer on ${INCUS_SOCKET}; its log: ${join(layout.logs, 'incusd.log')}`);
  }
}
