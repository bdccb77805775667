/** Platform addresses: one label under the platform domain. */
import type { InstanceId } from '#domain/ids.ts';
import { reservedNames } from '#domain/names.ts';

const LABEL_LENGTH_MAX = 63;
const ID_TAIL = 6;

/** Host names for an instance, best first: its name, name and project, name and a piece of its id. */
export function primaryHostnames(domain: string, name: string, project: string, id: InstanceId): string[] {
  const labels = [name, `${name}-${project}`, `${name.slice(0, LABEL_LENGTH_MAX - ID_TAIL - 1)}-${id.slice(-ID_TAIL)}`];
  return labels
    .filter((label) => label.length <= LABEL_LENGTH_MAX && !reservedNames.includes(label))
    .map((label) => `${label}.${domain}`);
}

/** True for names that need no domain of a project: the platform's own and what lies below it. */
export function isPlatformName(hostname: string, domain: string): boolean {
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

/** Why a platform name cannot be a route of a tenant, for people; null when it can. Only free names right under `domain`. */
export function routeHostnameProblem(hostname: string, domain: string): string | null {
  if (hostname === domain) return 'This is the address of Berth itself.';
  const label = hostname.slice(0, -domain.length - 1);
  if (label.includes('.')) return `Only one name in front of ${domain}, without further dots.`;
  if (reservedNames.includes(label)) return 'This name is kept for Berth itself.';
  if (label.startsWith('xn--') || label.slice(2, 4) === '--') return 'Names with "--" at this place are not possible.';
  return null;
}
