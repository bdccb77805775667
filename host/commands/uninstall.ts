/**
 * `berth uninstall`: takes one installation away for good: its processes, its instances with their data, what it made
 * in the engine, its data folder. Packages, the engine itself and everything another installation owns stay.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolverAddresses } from '#domain/resolver.ts';
import { canAsk, confirm } from '../ask.ts';
import { Checklist } from '../checklist.ts';
import { engineInfo, incus, removeFromIncus } from '../engine.ts';
import { installed } from '../installed.ts';
import { dataDirOf, parse } from '../options.ts';
import { Refusal } from '../refusal.ts';
import { run } from '../run.ts';
import { downCommand } from './down.ts';

/** The claim of an installation on an image is a set of properties `user.berth.<installation>.*` (agent/incus/images.ts). */
const CLAIM = 'user.berth.';

export async function uninstallCommand(args: readonly string[]): Promise<number> {
  const { values } = parse(args, {
    'data-dir': { type: 'string' },
    yes: { type: 'boolean', short: 'y', default: false },
  });
  const dataDir = dataDirOf(values['data-dir'] as string | undefined);
  const { config, layout, manager } = installed(dataDir);
  const guests = (await engineInfo()) === null ? null : await guestsOf(config.installation);
  if (values.yes !== true) {
    if (!canAsk()) throw new Refusal('This removes every instance with its data and backups. Say so with --yes.');
    const what = guests === null ? 'what it made' : `${guests.length} instances with their data and backups`;
    if (!(await confirm(`Remove Berth ${config.installation} in ${layout.data} and ${what}, for good?`))) return 1;
  }
  if (guests === null)
    throw new Refusal(
      'The engine does not answer, so instances cannot be removed. Start it (berth up does), then try again.',
    );
  await downCommand(['--data-dir', dataDir]);
  await manager.forget();
  const list = new Checklist();
  await list.step('instances', async (step) => {
    for (const guest of guests) await removeGuest(guest);
    step.note(`${guests.length} removed`);
  });
  await list.step('networks, images, pool', async () => {
    await removeEngineObjects(config.installation, config.pool.name);
    const { address4, address6 } = resolverAddresses(config.installation, config.network.prefix6);
    for (const address of [`${address4}/32`, `${address6}/128`])
      await run(['ip', 'address', 'delete', address, 'dev', 'lo'], { timeoutMs: NFT_MS_MAX });
  });
  await list.step('data folder', async () => {
    await unmountBelow(layout.data);
    await rm(layout.data, { recursive: true, force: true });
    await rm(layout.run, { recursive: true, force: true });
  });
  return 0;
}

/**
 * Lets go of what an image build that was killed left mounted (proc, dev and sys of this machine). Error: Refusal when
 * something stays mounted: removing the folder would then remove what is not ours.
 */
async function unmountBelow(folder: string): Promise<void> {
  for (const point of mountsBelow(folder).reverse()) await run(['umount', '--lazy', point], { timeoutMs: 20_000 });
  const left = mountsBelow(folder);
  if (left.length > 0) throw new Refusal(`Still mounted, so nothing below ${folder} was removed: ${left.join(', ')}`);
}

/** Mount points below a folder, outer ones first. */
function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_all, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((point) => point.startsWith(`${folder}/`));
}

/** A firewall table is gone at once, or was never there. */
const NFT_MS_MAX = 10_000;

type Guest = { name: string; project: string };

async function guestsOf(installation: string): Promise<Guest[]> {
  const all = await incus<(Guest & { config: Record<string, string> })[]>(
    'GET',
    '/1.0/instances?recursion=1&all-projects=true',
  );
  return (all ?? []).filter((guest) => guest.config['user.berth.installation'] === installation);
}

async function removeGuest(guest: Guest): Promise<void> {
  const at = `/1.0/instances/${encodeURIComponent(guest.name)}`;
  const project = `project=${encodeURIComponent(guest.project)}`;
  await incus('PUT', `${at}/state?${project}`, { action: 'stop', force: true, timeout: 30 }).catch(() => undefined);
  await removeFromIncus(`${at}?${project}`);
}

/** Everything whose name or label says that this installation made it, in the order in which the engine lets go. */
async function removeEngineObjects(installation: string, pool: string): Promise<void> {
  const prefix = `bth-${installation}-`;
  const named = async (path: string): Promise<{ name: string; config: Record<string, string> }[]> =>
    (await incus<{ name: string; config: Record<string, string> }[]>('GET', `${path}?recursion=1`)) ?? [];
  for (const { name } of await named('/1.0/projects'))
    if (name.startsWith(prefix)) await removeFromIncus(`/1.0/projects/${name}?force=1`);
  for (const network of await named('/1.0/networks'))
    if (network.config?.['user.berth.installation'] === installation)
      await removeFromIncus(`/1.0/networks/${network.name}`);
  for (const { name } of await named('/1.0/network-acls'))
    if (name.startsWith(prefix)) await removeFromIncus(`/1.0/network-acls/${name}`);
  for (const purpose of ['forwards', 'policies', 'registry', 'resolver', 'flows']) {
    await run(['nft', 'delete', 'table', 'inet', `berth_${purpose}_${installation}`], { timeoutMs: NFT_MS_MAX });
  }
  type Image = { fingerprint: string; properties: Record<string, string>; aliases: { name: string }[] };
  for (const image of (await incus<Image[]>('GET', '/1.0/images?recursion=1')) ?? []) {
    const claims = Object.keys(image.properties).filter((key) => key.startsWith(CLAIM));
    if (!claims.some((key) => key.startsWith(`${CLAIM}${installation}.`))) continue;
    const shared = claims.some((key) => !key.startsWith(`${CLAIM}${installation}.`));
    for (const alias of image.aliases)
      if (alias.name.startsWith(prefix)) await removeFromIncus(`/1.0/images/aliases/${alias.name}`);
    if (!shared) await removeFromIncus(`/1.0/images/${image.fingerprint}`);
    else
      await incus('PUT', `/1.0/images/${image.fingerprint}`, {
        auto_update: false,
        public: false,
        profiles: ['default'],
        properties: Object.fromEntries(
          Object.entries(image.properties).filter(([key]) => !key.startsWith(`${CLAIM}${installation}.`)),
        ),
      });
  }
  await removeFromIncus(`/1.0/storage-pools/${pool}`);
  // The wall of the host is the same for every installation (agent/host-table.ts): it goes with the last of them.
  const pools = (await incus<{ name: string }[]>('GET', '/1.0/storage-pools?recursion=1')) ?? [];
  const others = [...pools, ...(await named('/1.0/projects'))].some(({ name }) => /^bth-/.test(name));
  const bridges = readdirSync('/sys/class/net').some((name) => name.startsWith('bth'));
  if (!others && !bridges) await run(['nft', 'delete', 'table', 'inet', 'berth_guard'], { timeoutMs: NFT_MS_MAX });
}
