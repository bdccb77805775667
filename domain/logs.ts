/** Where lines of a log come from: the journal, unless it is said otherwise. */
import { isId, type OperationId } from './ids.ts';
import { stackNameProblem } from './stacks.ts';

/** `stack:blog`, `container:blog-web-1`, `run:opr_...` (what a stack's command said). */
export type LogSource =
  | { kind: 'stack'; name: string }
  | { kind: 'container'; name: string }
  | { kind: 'run'; operation: OperationId };

export const CONTAINER_NAME_LENGTH_MAX = 128;
/** Docker's rule for names of containers; ids are such names too. */
const CONTAINER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export function isContainerName(name: string): boolean {
  return name.length <= CONTAINER_NAME_LENGTH_MAX && CONTAINER.test(name);
}

/** Null when it names no source. */
export function parseLogSource(text: string): LogSource | null {
  const cut = text.indexOf(':');
  const [kind, name] = [text.slice(0, cut), text.slice(cut + 1)];
  if (kind === 'stack') return stackNameProblem(name) === null ? { kind, name } : null;
  if (kind === 'container') return isContainerName(name) ? { kind, name } : null;
  if (kind === 'run') return isId('opr', name) ? { kind, operation: name } : null;
  return null;
}
