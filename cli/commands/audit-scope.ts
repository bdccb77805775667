/** Which audit log a command is about, and when. */
import { Option } from 'commander';
import { isId } from '#domain/ids.ts';
import type { OutputOf } from '../client.ts';
import { CliError, usageError } from '../errors.ts';
import { parseSince } from '../format.ts';
import type { Runtime } from '../runtime.ts';

export type State = OutputOf<'auditState'>;
export type Scope = { platform?: boolean; deleted?: string };
export const platformOption = () =>
  new Option('--platform', 'the log of the installation: what belongs to no organization (platform administrators)');

export const deletedOption = () =>
  new Option('--deleted <organization>', 'the log of a deleted organization, by name or id (platform administrators)');

/** Which log is meant: of an organization, of the installation, or of a deleted organization. */
export async function logOf(
  berth: Runtime,
  scope: Scope,
): Promise<{ organization: string } | { platform: { organization?: string } }> {
  if (scope.deleted !== undefined) return { platform: { organization: await deletedId(berth, scope.deleted) } };
  if (scope.platform === true) return { platform: {} };
  return { organization: (await berth.organization()).id };
}

async function deletedId(berth: Runtime, wanted: string): Promise<string> {
  if (isId('org', wanted)) return wanted;
  const client = await berth.client();
  const { items } = await client.call('platformAuditDeletedList', { query: { search: wanted, limit: 100 } });
  const named = items.filter((log) => log.name === wanted);
  const [found, another] = named;
  if (found === undefined)
    throw new CliError('failure', `No deleted organization was called ${wanted}.`, {
      code: 'not_found',
      hint: 'See: berth audit deleted',
    });
  if (another !== undefined) {
    throw usageError(
      `${named.length} deleted organizations were called ${wanted}: ${named.map((log) => log.organization).join(', ')}.`,
      'Give the id.',
    );
  }
  return found.organization;
}

export function times(berth: Runtime, options: { since?: string; until?: string }): { since?: string; until?: string } {
  const now = berth.io.now();
  return {
    ...(options.since === undefined ? {} : { since: parseSince(options.since, now) }),
    ...(options.until === undefined ? {} : { until: parseSince(options.until, now) }),
  };
}

export async function readState(berth: Runtime, scope: Scope): Promise<State> {
  const client = await berth.client();
  const log = await logOf(berth, scope);
  if ('platform' in log) return client.call('platformAuditState', { query: log.platform });
  return client.call('auditState', { params: log });
}
