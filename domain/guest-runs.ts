/** Long commands inside a guest: which there are, and how long they may take. */
import type { ArchiveFormat } from './file-archives.ts';
import { type CleanPart, cleanParts, type StackVerb, stackVerbs } from './stacks.ts';

/** A command that takes longer is ended. */
export const GUEST_RUN_MINUTES_MAX = 60;
/** How long a command that is stopped may take to end before it is killed. */
export const GUEST_RUN_STOP_SECONDS = 10;

/** What is done inside. */
export type GuestTask =
  | { type: 'stack'; stack: string; verb: StackVerb; volumes: boolean }
  | { type: 'clean'; part: CleanPart }
  /** `to` is a file that is written, as `uid` and `gid`. */
  | { type: 'pack'; folder: string; names: string[]; to: string; uid: number; gid: number }
  /** `to` is an empty folder of `uid` and `gid`. */
  | { type: 'unpack'; path: string; format: ArchiveFormat; to: string; uid: number; gid: number };

/** One operation may run several commands, one after the other; these tell them apart. */
export const guestRunParts = [...stackVerbs, ...cleanParts, 'pack', 'unpack'] as const;
export type GuestRunPart = (typeof guestRunParts)[number];

export function guestRunPart(task: GuestTask): GuestRunPart {
  if (task.type === 'stack') return task.verb;
  return task.type === 'clean' ? task.part : task.type;
}
