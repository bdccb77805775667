/** Calls about stacks: a simulated server with a stack that was started by hand, and one written here that is down. */
import { fileVersion, joinPath } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import { STACK_FILE, STACKS_FOLDER, stackFile, stackFolder } from '#domain/stacks.ts';
import { HAND_MADE_STACK } from '#drivers/simulated/docker.ts';
import { guest, type Row, type RowCall } from './row-makers.ts';

const FOLDER = `/home/berth/${HAND_MADE_STACK}`;
const WRITTEN = 'written';

/** `more` with what the stacks are: their names, and the version of the file of the one that runs. */
const withStacks =
  (more: (stacks: { byHand: string; written: string; version: string }) => RowCall): Row =>
  async (world) => {
    const { params } = await guest(world);
    const files = await world.driver.files(params?.['instance'] as InstanceId);
    for (const folder of [FOLDER, '/srv', STACKS_FOLDER, stackFolder(WRITTEN)]) await files.makeFolder(folder, 0o755);
    const paths = [joinPath(FOLDER, STACK_FILE), stackFile(WRITTEN)] as const;
    for (const path of paths) await files.writePart(path, 0, Buffer.from('services: {}\n'));
    const version = fileVersion(await files.look(paths[0]));
    const call = more({ byHand: HAND_MADE_STACK, written: WRITTEN, version });
    return { ...call, params: { ...params, ...call.params } };
  };

const text = 'services: {}\n';

export const stackRows = {
  stacksList: guest,
  stacksRead: withStacks(({ byHand }) => ({ params: { stack: byHand } })),
  stacksCreate: withStacks(() => ({ body: { name: 'blog', text } })),
  stacksWrite: withStacks(({ byHand, version }) => ({ params: { stack: byHand }, body: { text, version } })),
  stacksCheck: withStacks(({ byHand }) => ({ params: { stack: byHand }, body: { text } })),
  stacksRun: withStacks(({ byHand }) => ({ params: { stack: byHand, verb: 'restart' } })),
  stacksRemove: withStacks(({ written }) => ({ params: { stack: written } })),
  containersUsage: guest,
  containersAct: withStacks(({ byHand }) => ({ params: { container: `${byHand}-web-1`, action: 'restart' } })),
  dockerUsage: guest,
  dockerClean: withStacks(() => ({ body: { parts: ['images'] } })),
} satisfies Record<string, Row>;
