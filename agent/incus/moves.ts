/**
 * A guest moves to another project: copied there with its snapshots, then removed where it was. The engine has a call for
 * the whole (it does the same inside), but after a crash in the middle nobody could tell a half-made copy from a half-removed
 * original. So each part is done by itself, and the label `ready` says which of two is whole.
 */
import { BerthError, notFound } from '#domain/errors.ts';
import type { GuestPlace } from '../engine.ts';
import { label, type Names } from '../names.ts';
import { observedState } from './guest-of.ts';
import { type IncusGuests, type Located, ownConfig, readyLabel } from './guests.ts';

const COPY_SECONDS_MAX = 900;

/** Errors: not_found, state_conflict (it runs), conflict (it is an unfinished copy itself). */
export async function moveGuest(guests: IncusGuests, names: Names, place: GuestPlace): Promise<void> {
  const target = names.project(place.project);
  const copies = await guests.copies(place.instance);
  const others = copies.filter((copy) => copy.project !== target);
  let there = copies.find((copy) => copy.project === target);
  const [source] = others;
  if (there !== undefined && !guests.isReady(there) && source !== undefined) {
    await guests.remove(there);
    there = undefined;
  }
  if (there === undefined) {
    if (source === undefined) throw notFound('instance on this host');
    requireStopped(source);
    there = await copyTo(guests, target, source, place);
  } else if (!guests.isReady(there)) {
    throw new BerthError('conflict', 'Its copy is not finished.');
  }
  await settle(guests, there, place);
  guests.remember(place.instance, target);
  for (const other of others) {
    requireStopped(other);
    // From here on it is the one that is not whole.
    await guests.patch(other, { config: { [readyLabel]: 'false' } });
    await guests.remove(other);
  }
}

async function copyTo(guests: IncusGuests, target: string, source: Located, place: GuestPlace): Promise<Located> {
  if (!guests.isReady(source)) throw new BerthError('conflict', 'Its copy is not finished.');
  const { config, devices, type } = source.instance;
  await guests.make(
    target,
    {
      name: source.name,
      type,
      profiles: [],
      ephemeral: false,
      config: { ...ownConfig(config), ...placeLabels(place), [readyLabel]: 'false' },
      devices: { ...devices, eth0: await guests.nic(place) },
      source: { type: 'copy', source: source.name, project: source.project, instance_only: false },
    },
    COPY_SECONDS_MAX,
  );
  const made = (await guests.copies(place.instance)).find((copy) => copy.project === target);
  if (made === undefined) throw new BerthError('upstream_failed', 'The engine did not keep the moved guest.');
  return made;
}

/** Labels and network as they must be; the engine lays no templates of the image over files that are there. */
async function settle(guests: IncusGuests, there: Located, place: GuestPlace): Promise<void> {
  const { config, devices } = there.instance;
  const nic = await guests.nic(place);
  const wanted = { [label.project]: place.project, [readyLabel]: 'true', 'volatile.apply_template': '' };
  const settled =
    Object.entries(wanted).every(([key, value]) => (config[key] ?? '') === value) &&
    ['network', 'ipv4.address', 'ipv6.address'].every((key) => devices['eth0']?.[key] === nic[key]);
  if (settled) return;
  requireStopped(there);
  await guests.patch(there, {
    config: { ...wanted, ...placeLabels(place) },
    devices: { ...devices, eth0: nic },
  });
}

function placeLabels(place: GuestPlace): Record<string, string> {
  return { [label.project]: place.project, [label.operation]: place.operation };
}

function requireStopped(guest: Located): void {
  if (observedState(guest.instance.status) !== 'stopped') throw new BerthError('state_conflict', 'Stop it first.');
}
