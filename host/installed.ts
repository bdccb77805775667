/** The installation that a command is about. */
import { type HostConfig, type Layout, layoutOf, loadHostConfig } from './layout.ts';
import { type Manager, managerFor } from './manager.ts';
import { Refusal } from './refusal.ts';

/** Error: Refusal when there is no installation in this folder, or it may not be read. */
export function installed(dataDir: string): { config: HostConfig; layout: Layout; manager: Manager } {
  let config: HostConfig | null;
  try {
    config = loadHostConfig(dataDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw new Refusal(`Only root may look into ${dataDir}.`);
    throw error;
  }
  if (config === null)
    throw new Refusal(`There is no Berth in ${dataDir}. ./berth up makes one (--data-dir names another folder).`);
  const layout = layoutOf(dataDir, config.runDir);
  return { config, layout, manager: managerFor(config, layout) };
}
