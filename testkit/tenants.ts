/** People, instances and routes as plain rows, with the outbox hints that the server would write beside them. */
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Role } from '#domain/authz.ts';
import { makeId } from '#domain/ids.ts';

export type Tenant = { organizationId: string; projectId: string };
export type Person = { id: string; email: string };
export type SignedIn = { id: string; secret: string };
export type Guest = { id: string; name: string; address: string } & Tenant;

const id = (prefix: Parameters<typeof makeId>[0]): string => makeId(prefix, Date.now(), randomBytes);
let counter = 0;

export class Tenants {
  readonly #client: pg.Client;
  #image: string | null = null;

  readonly url: string;

  private constructor(client: pg.Client, url: string) {
    this.#client = client;
    this.url = url;
  }

  /** `url`: as the database's owner. */
  static async connect(url: string): Promise<Tenants> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    client.on('error', () => {});
    return new Tenants(client, url);
  }

  async end(): Promise<void> {
    await this.#client.end().catch(() => {});
  }

  newId(prefix: Parameters<typeof makeId>[0]): string {
    return id(prefix);
  }

  async query(text: string, values: unknown[] = []): Promise<void> {
    await this.#client.query(text, values);
  }

  /** From where the control plane may be entered, as the server writes it. */
  async setControlAccess(access: { networks: string[]; countries: string[] }): Promise<void> {
    await this.#client.query(
      "insert into setting (key, value) values ('control.access', $1) on conflict (key) do update set value = $1",
      [JSON.stringify(access)],
    );
    await this.hint('setting', 'control.access');
  }

  /** What the relay does after a change; `quiet` leaves out the notification. */
  async hint(kind: string, ref: string, organizationId: string | null = null, quiet = false): Promise<void> {
    await this.query('insert into outbox (kind, ref, organization_id) values ($1, $2, $3)', [
      kind,
      ref,
      organizationId,
    ]);
    if (!quiet) await this.query(`notify berth_outbox`);
  }

  async tenant(): Promise<Tenant> {
    const n = ++counter;
    const organizationId = id('org');
    const projectId = id('prj');
    const name = `o${n}-${randomBytes(3).toString('hex')}`;
    await this.query('insert into organization (id, name, title) values ($1, $2, $2)', [organizationId, name]);
    await this.query(
      `insert into project (id, organization_id, name, title, network_index, subnet4, subnet6)
       values ($1, $2, $3, $3, $4, $5, $6)`,
      [projectId, organizationId, name, n, `127.${n}.0.0/24`, `fd42:1:2:${n.toString(16)}::/64`],
    );
    return { organizationId, projectId };
  }

  async person(tenant: Tenant | null, role: Role = 'member'): Promise<Person> {
    const person = { id: id('usr'), email: `p${++counter}-${randomBytes(3).toString('hex')}@example.test` };
    await this.query(`insert into app_user (id, email, name, password_hash) values ($1, $2, 'Pat', 'x')`, [
      person.id,
      person.email,
    ]);
    if (tenant !== null) {
      await this.query('insert into membership (organization_id, user_id, role) values ($1, $2, $3)', [
        tenant.organizationId,
        person.id,
        role,
      ]);
      await this.hint('member', person.id, tenant.organizationId);
    }
    return person;
  }

  /** A session; `secret` is the cookie's value. Written without a hint when `quiet`. */
  async session(person: Person, options: { seconds?: number; quiet?: boolean } = {}): Promise<SignedIn> {
    const session = { id: id('ses'), secret: randomBytes(32).toString('base64url') };
    await this.query(
      `insert into session (id, user_id, token_hash, expires_at, address, user_agent)
       values ($1, $2, $3, now() + make_interval(secs => $4), '127.0.0.1', 'test')`,
      [session.id, person.id, sha256(session.secret), options.seconds ?? 3600],
    );
    if (options.quiet !== true) await this.hint('session', person.id);
    return session;
  }

  async revokeSession(session: SignedIn, person: Person): Promise<void> {
    await this.query('update session set revoked_at = now() where id = $1', [session.id]);
    await this.hint('session', person.id);
  }

  async token(person: Person): Promise<SignedIn> {
    const token = { id: id('tok'), secret: `brt_${randomBytes(32).toString('base64url')}` };
    await this.query(`insert into api_token (id, user_id, name, prefix, token_hash) values ($1, $2, 'test', $3, $4)`, [
      token.id,
      person.id,
      token.secret.slice(0, 8),
      sha256(token.secret),
    ]);
    return token;
  }

  async guest(
    tenant: Tenant,
    person: Person,
    options: { kind?: 'desktop' | 'server'; address?: string; name?: string; id?: string } = {},
  ): Promise<Guest> {
    const n = ++counter;
    if (this.#image === null) {
      this.#image = id('img');
      await this.query(
        `insert into image (id, name, kind, title, source, state) values ($1, $2, 'server', 'Server', 'recipe', 'ready')`,
        [this.#image, `i${randomBytes(4).toString('hex')}`],
      );
    }
    const guest = {
      id: options.id ?? id('ins'),
      name: options.name ?? `g${n}`,
      address: options.address ?? `127.0.0.${10 + (n % 240)}`,
      ...tenant,
    };
    await this.query(
      `insert into instance (id, organization_id, project_id, kind, name, phase, cpus, memory_bytes, disk_bytes, image_id,
         host_number, address4, address6, desired, observed, created_by)
       values ($1, $2, $3, $4, $5, 'ready', 1, 1, 1, $6, $7, $8, 'fd42:1:2::9', 'running', 'running', $9)`,
      [
        guest.id,
        tenant.organizationId,
        tenant.projectId,
        options.kind ?? 'server',
        guest.name,
        this.#image,
        n,
        guest.address,
        person.id,
      ],
    );
    await this.hint('instance', guest.id, tenant.organizationId);
    return guest;
  }

  async observed(
    guest: Guest,
    observed: string,
    desired = observed === 'running' ? 'running' : 'stopped',
  ): Promise<void> {
    await this.query('update instance set observed = $2, desired = $3 where id = $1', [guest.id, observed, desired]);
    await this.hint('instance', guest.id, guest.organizationId);
  }

  /** A route; `quiet` writes no hint at all, as if the relay were down. */
  async route(
    guest: Guest,
    hostname: string,
    port: number | 'screen',
    visibility: 'private' | 'public' = 'private',
    quiet = false,
  ): Promise<string> {
    const route = id('rte');
    await this.query(
      `insert into route (id, organization_id, project_id, instance_id, hostname, target, port, visibility)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        route,
        guest.organizationId,
        guest.projectId,
        guest.id,
        hostname,
        port === 'screen' ? 'screen' : 'port',
        port === 'screen' ? null : port,
        visibility,
      ],
    );
    if (!quiet) await this.hint('route', route, guest.organizationId);
    return route;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
