/**
 * Who holds what where, as edge needs it: roles in organizations and projects, grants on single instances, each held by
 * a person or a group. Answers one question, without waiting: what does this person hold on this instance?
 */
import { type GrantPermission, type Holding, highestRole, type Role } from '#domain/authz.ts';

/** One row of the view edge_access. `expiresAt` is Unix time in milliseconds; null: it does not end by itself. */
export type EdgeAccess = {
  organizationId: string;
  projectId: string | null;
  instanceId: string | null;
  /** A person's or a group's id. */
  subject: string;
  role: Role | null;
  permissions: GrantPermission[] | null;
  expiresAt: number | null;
};
export type EdgeGroupMember = { organizationId: string; groupId: string; userId: string };

/** Where something is; `projectId` is unknown while the instance is. */
export type Scope = { organizationId: string; projectId?: string | undefined; instanceId: string };

/** The narrowest id a row speaks about. */
const scopeOf = (row: EdgeAccess): string => row.instanceId ?? row.projectId ?? row.organizationId;

export class AccessTable {
  /** subject -> scope -> rows */
  readonly #held = new Map<string, Map<string, EdgeAccess[]>>();
  /** user -> group -> organization */
  readonly #groups = new Map<string, Map<string, string>>();

  put(row: EdgeAccess): void {
    let scopes = this.#held.get(row.subject);
    if (scopes === undefined) {
      scopes = new Map();
      this.#held.set(row.subject, scopes);
    }
    const rows = scopes.get(scopeOf(row));
    if (rows === undefined) scopes.set(scopeOf(row), [row]);
    else rows.push(row);
  }

  putGroupMember({ userId, groupId, organizationId }: EdgeGroupMember): void {
    let groups = this.#groups.get(userId);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(userId, groups);
    }
    groups.set(groupId, organizationId);
  }

  /** Forgets what these people or groups hold, and of people their groups. */
  removeSubjects(subjects: ReadonlySet<string>): void {
    for (const subject of subjects) {
      this.#held.delete(subject);
      this.#groups.delete(subject);
    }
  }

  /** Forgets everything that belongs to these organizations. */
  removeOrganizations(organizations: ReadonlySet<string>): void {
    for (const [subject, scopes] of this.#held) {
      for (const [scope, rows] of scopes) {
        const kept = rows.filter((row) => !organizations.has(row.organizationId));
        if (kept.length === 0) scopes.delete(scope);
        else scopes.set(scope, kept);
      }
      if (scopes.size === 0) this.#held.delete(subject);
    }
    for (const [user, groups] of this.#groups) {
      for (const [group, organization] of groups) if (organizations.has(organization)) groups.delete(group);
      if (groups.size === 0) this.#groups.delete(user);
    }
  }

  /** What the person holds there at `now` (Unix ms): the same arithmetic as the one door of the API. */
  holding(userId: string, scope: Scope, now: number): Holding {
    const roles: (Role | null)[] = [];
    const permissions = new Set<GrantPermission>();
    for (const subject of [userId, ...(this.#groups.get(userId)?.keys() ?? [])]) {
      const scopes = this.#held.get(subject);
      if (scopes === undefined) continue;
      for (const id of [scope.organizationId, scope.projectId, scope.instanceId]) {
        if (id === undefined) continue;
        for (const row of scopes.get(id) ?? []) {
          if (row.organizationId !== scope.organizationId) continue;
          if (row.expiresAt !== null && row.expiresAt <= now) continue;
          roles.push(row.role);
          for (const permission of row.permissions ?? []) permissions.add(permission);
        }
      }
    }
    return { role: highestRole(roles), permissions: [...permissions] };
  }

  clear(): void {
    this.#held.clear();
    this.#groups.clear();
  }

  /** A copy of the rows, for the snapshot on disk. */
  dump(): { access: EdgeAccess[]; groupMembers: EdgeGroupMember[] } {
    return {
      access: [...this.#held.values()].flatMap((scopes) => [...scopes.values()].flat()),
      groupMembers: [...this.#groups].flatMap(([userId, groups]) =>
        [...groups].map(([groupId, organizationId]) => ({ organizationId, groupId, userId })),
      ),
    };
  }
}
