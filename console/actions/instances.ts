/**
 * Every action on an instance, defined once: the row menu, the detail page, the palette and the bulk bar all read this
 * list. Whether it is possible comes from the API (`can`), never from rules of our own.
 */
import type { LucideIcon } from 'lucide-react';
import {
  ArchiveRestore,
  Cable,
  Camera,
  CirclePause,
  CirclePlay,
  CopyPlus,
  DatabaseBackup,
  ExternalLink,
  FolderOpen,
  FolderOutput,
  History,
  Monitor,
  Pencil,
  Play,
  RotateCw,
  Scaling,
  ScrollText,
  Share2,
  Square,
  SquareTerminal,
  Trash2,
  Undo2,
} from 'lucide-react';
import type { Instance } from '#contract/instances.ts';
import type { InstanceVerb, instanceActions } from '#domain/instances.ts';
import type { InputOf, RouteName } from '../api/client.ts';

export type InstanceActionId =
  | 'screen'
  | 'terminal'
  | 'ssh'
  | 'files'
  | 'open'
  | 'logs'
  | 'start'
  | 'stop'
  | 'restart'
  | 'pause'
  | 'resume'
  | 'snapshot'
  | 'rollback'
  | 'backup'
  | 'overwrite'
  | 'clone'
  | 'rename'
  | 'resize'
  | 'share'
  | 'transfer'
  | 'restore'
  | 'archive'
  | 'purge';

/** One API call in the form that the client and "Show as" both take. */
export type PlannedCall = { [K in RouteName]: { name: K; input: InputOf<K> } }[RouteName];

export type InstanceAction = {
  id: InstanceActionId;
  label: string;
  icon: LucideIcon;
  group: 'use' | 'power' | 'change' | 'end';
  /** The ability that decides; null: always possible where it applies. */
  verb: InstanceVerb | null;
  /** Shortcut on the detail page. */
  keys?: string;
  danger?: boolean;
  /** Whether it makes sense for several at once. */
  bulk?: boolean;
  /** Whether to list it at all for this instance (a stopped one has no use for "Stop" beside "Start"). */
  applies: (instance: Instance) => boolean;
} & (
  | { kind: 'tab'; tab: 'screen' | 'terminal' | 'ssh' | 'files' | 'logs' | 'snapshots' | 'backups' }
  | { kind: 'link'; href: (instance: Instance) => string | null }
  | {
      kind: 'call';
      done: string;
      confirm?: (instances: readonly Instance[]) => Confirm;
      call: (instance: Instance) => PlannedCall;
      cli: (instance: Instance) => string;
    }
  | { kind: 'form' }
);

export type Confirm = { title: string; body: string; confirmLabel: string; danger: boolean; typeName?: string };

const live = (instance: Instance) => instance.phase === 'ready' || instance.phase === 'creating';
const kept = (instance: Instance) => instance.phase !== 'archived' && instance.phase !== 'purging';

function power(action: (typeof instanceActions)[number]) {
  return (instance: Instance): PlannedCall => ({
    name: 'instancesPower',
    input: { params: { instance: instance.id, action } },
  });
}
function names(instances: readonly Instance[]): string {
  return instances.length <= 3 ? instances.map((each) => each.name).join(', ') : `${instances.length} instances`;
}

export const instanceActionList: readonly InstanceAction[] = [
  {
    id: 'screen',
    label: 'Open screen',
    icon: Monitor,
    group: 'use',
    verb: 'screen',
    keys: 's',
    kind: 'tab',
    tab: 'screen',
    applies: (it) => it.kind === 'desktop' && live(it),
  },
  {
    id: 'terminal',
    label: 'Open terminal',
    icon: SquareTerminal,
    group: 'use',
    verb: 'terminal',
    keys: 't',
    kind: 'tab',
    tab: 'terminal',
    applies: live,
  },
  {
    id: 'ssh',
    label: 'Connect by SSH',
    icon: Cable,
    group: 'use',
    verb: 'ssh',
    kind: 'tab',
    tab: 'ssh',
    applies: live,
  },
  {
    id: 'files',
    label: 'Show its files',
    icon: FolderOpen,
    group: 'use',
    verb: 'files',
    kind: 'tab',
    tab: 'files',
    applies: live,
  },
  {
    id: 'open',
    label: 'Open its address',
    icon: ExternalLink,
    group: 'use',
    verb: null,
    kind: 'link',
    href: (it) => it.url,
    applies: (it) => it.url !== null && live(it),
  },
  {
    id: 'logs',
    label: 'Show logs',
    icon: ScrollText,
    group: 'use',
    verb: 'logs',
    keys: 'l',
    kind: 'tab',
    tab: 'logs',
    applies: live,
  },
  {
    id: 'start',
    label: 'Start',
    icon: Play,
    group: 'power',
    verb: 'start',
    bulk: true,
    kind: 'call',
    done: 'Starting',
    call: power('start'),
    cli: (it) => `berth instances start ${it.name}`,
    applies: (it) => it.phase === 'ready' && it.observed !== 'running' && it.observed !== 'paused',
  },
  {
    id: 'resume',
    label: 'Resume',
    icon: CirclePlay,
    group: 'power',
    verb: 'resume',
    bulk: true,
    kind: 'call',
    done: 'Resuming',
    call: power('resume'),
    cli: (it) => `berth instances resume ${it.name}`,
    applies: (it) => it.phase === 'ready' && it.observed === 'paused',
  },
  {
    id: 'restart',
    label: 'Restart',
    icon: RotateCw,
    group: 'power',
    verb: 'restart',
    bulk: true,
    kind: 'call',
    done: 'Restarting',
    call: power('restart'),
    cli: (it) => `berth instances restart ${it.name}`,
    applies: (it) => it.phase === 'ready' && it.observed !== 'stopped' && it.observed !== 'paused',
    confirm: (all) => ({
      title: `Restart ${names(all)}?`,
      body: 'Programs inside are asked to end, then it boots again. Unsaved work in open windows is lost.',
      confirmLabel: 'Restart',
      danger: false,
    }),
  },
  {
    id: 'pause',
    label: 'Pause',
    icon: CirclePause,
    group: 'power',
    verb: 'pause',
    bulk: true,
    kind: 'call',
    done: 'Pausing',
    call: power('pause'),
    cli: (it) => `berth instances pause ${it.name}`,
    applies: (it) => it.phase === 'ready' && it.observed === 'running',
  },
  {
    id: 'stop',
    label: 'Stop',
    icon: Square,
    group: 'power',
    verb: 'stop',
    bulk: true,
    kind: 'call',
    done: 'Stopping',
    call: power('stop'),
    cli: (it) => `berth instances stop ${it.name}`,
    applies: (it) => it.phase === 'ready' && it.observed !== 'stopped',
    confirm: (all) => ({
      title: `Stop ${names(all)}?`,
      body: 'Programs inside are asked to end. Files stay; unsaved work in open windows is lost, and its addresses answer nothing until it is started again.',
      confirmLabel: 'Stop',
      danger: false,
    }),
  },
  {
    id: 'snapshot',
    label: 'Take a snapshot',
    icon: Camera,
    group: 'change',
    verb: 'snapshot',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'rollback',
    label: 'Roll back',
    icon: Undo2,
    group: 'change',
    verb: 'rollback',
    kind: 'tab',
    tab: 'snapshots',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'backup',
    label: 'Back up',
    icon: DatabaseBackup,
    group: 'change',
    verb: 'backup',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'overwrite',
    label: 'Restore a backup',
    icon: History,
    group: 'change',
    verb: 'overwrite',
    kind: 'tab',
    tab: 'backups',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'clone',
    label: 'Clone',
    icon: CopyPlus,
    group: 'change',
    verb: 'clone',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'rename',
    label: 'Rename',
    icon: Pencil,
    group: 'change',
    verb: 'rename',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'resize',
    label: 'Resize',
    icon: Scaling,
    group: 'change',
    verb: 'resize',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'share',
    label: 'Share',
    icon: Share2,
    group: 'change',
    verb: 'share',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'transfer',
    label: 'Move to another project',
    icon: FolderOutput,
    group: 'change',
    verb: 'transfer',
    kind: 'form',
    applies: (it) => it.phase === 'ready',
  },
  {
    id: 'restore',
    label: 'Restore',
    icon: ArchiveRestore,
    group: 'end',
    verb: 'restore',
    bulk: true,
    kind: 'call',
    done: 'Restoring',
    call: (it) => ({ name: 'instancesRestore', input: { params: { instance: it.id } } }),
    cli: (it) => `berth instances restore ${it.name}`,
    applies: (it) => it.phase === 'archived',
  },
  {
    id: 'archive',
    label: 'Delete',
    icon: Trash2,
    group: 'end',
    verb: 'archive',
    danger: true,
    bulk: true,
    kind: 'call',
    done: 'Deleting',
    call: (it) => ({ name: 'instancesArchive', input: { params: { instance: it.id } } }),
    cli: (it) => `berth instances delete ${it.name}`,
    applies: kept,
    confirm: (all) => ({
      title: `Delete ${names(all)}?`,
      body: `${all.length === 1 ? 'It is' : 'They are'} stopped and kept for 7 days: until then "Restore" brings everything back. Addresses stop working at once.`,
      confirmLabel: 'Delete',
      danger: true,
    }),
  },
  {
    id: 'purge',
    label: 'Remove for good',
    icon: Trash2,
    group: 'end',
    verb: 'purge',
    danger: true,
    kind: 'call',
    done: 'Removing',
    call: (it) => ({ name: 'instancesPurge', input: { params: { instance: it.id }, body: { confirmName: it.name } } }),
    cli: (it) => `berth instances purge ${it.name}`,
    applies: (it) => it.phase === 'archived' || it.phase === 'failed',
    confirm: ([it]) => ({
      title: `Remove ${it?.name ?? 'it'} for good?`,
      body: 'Its disk and all its snapshots are erased. Nobody can bring them back. Its backups stay until somebody deletes them.',
      confirmLabel: 'Remove for good',
      danger: true,
      typeName: it?.name ?? '',
    }),
  },
];

/** The actions to list for an instance, in order. */
export function actionsFor(instance: Instance): InstanceAction[] {
  return instanceActionList.filter((action) => action.applies(instance));
}

/** Why an action is not possible now; undefined when it is. */
export function blockedReason(action: InstanceAction, instance: Instance): string | undefined {
  if (action.verb === null) return undefined;
  const ability = instance.can[action.verb];
  if (ability === true) return undefined;
  return typeof ability === 'string' ? ability : 'You may not do this.';
}

export function actionById(id: InstanceActionId): InstanceAction {
  const found = instanceActionList.find((action) => action.id === id);
  if (found === undefined) throw new RangeError(`no such action: ${id}`);
  return found;
}
