/** `berth down`: stops Berth's own processes. Instances and the engine keep running. */

import { existsSync } from 'node:fs';
import { Checklist } from '../checklist.ts';
import { installed } from '../installed.ts';
import { ensureSupervisor } from '../manager.ts';
import { dataDirOf, parse } from '../options.ts';
import { engineDaemons } from '../processes.ts';
import { readSupervisorFile } from '../supervisor-main.ts';
import { supervisorCode } from '../up.ts';

export async function downCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, { 'data-dir': { type: 'string' } });
  const list = new Checklist();
  const { layout, manager } = installed(dataDirOf(values['data-dir'] as string | undefined));
  await list.step('stop', async (step) => {
    // A killed supervisor may have left processes behind: a new one adopts and stops them.
    if (manager.kind === 'supervisor' && existsSync(layout.processes) && (await manager.status()) === null) {
      await ensureSupervisor(layout, supervisorCode());
      const known = readSupervisorFile(layout.processes).processes.filter((spec) => !spec.shared);
      await manager.apply([...engineDaemons(layout), ...known], ['none']);
    }
    await manager.stop();
    step.note('instances keep running');
  });
  return 0;
}
