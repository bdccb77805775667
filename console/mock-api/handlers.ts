/**
 * Every endpoint of the contract, answered from memory. The mapped type makes a missing endpoint a compile error, and
 * answers have to have the contract's shapes. Names starting with `fail-` fail, so that error paths can be looked at.
 */
import type { Api, RouteName } from '#contract/api.ts';
import type { BodyOf, ParamsOf, QueryOf, ResponseOf } from '#contract/route.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { SIGN_IN_MINUTES } from '#domain/factors.ts';
import { accountHandlers } from './handlers-account.ts';
import { auditHandlers } from './handlers-audit.ts';
import { backupHandlers } from './handlers-backups.ts';
import { dataHandlers } from './handlers-data.ts';
import { dnsHandlers } from './handlers-dns.ts';
import { domainHandlers } from './handlers-domains.ts';
import { factorHandlers, kindsOf } from './handlers-factors.ts';
import { fileHandlers } from './handlers-files.ts';
import { firewallHandlers } from './handlers-firewall.ts';
import { flowHandlers } from './handlers-flows.ts';
import { forwardHandlers } from './handlers-forwards.ts';
import { instanceHandlers } from './handlers-instances.ts';
import { mailHandlers } from './handlers-mail.ts';
import { metricHandlers } from './handlers-metrics.ts';
import { oidcClientHandlers } from './handlers-oidc-clients.ts';
import { operationHandlers } from './handlers-operations.ts';
import { outsideHandlers } from './handlers-outside.ts';
import { platformHandlers } from './handlers-platform.ts';
import { quotaHandlers } from './handlers-quotas.ts';
import { registrationHandlers } from './handlers-registration.ts';
import { registryHandlers } from './handlers-registry.ts';
import { serviceAccountHandlers } from './handlers-service-accounts.ts';
import { sessionHandlers } from './handlers-sessions.ts';
import { settingsHandlers } from './handlers-settings.ts';
import { snapshotHandlers } from './handlers-snapshots.ts';
import { sshHandlers } from './handlers-ssh.ts';
import { sshRecordingHandlers } from './handlers-ssh-recordings.ts';
import { stackHandlers } from './handlers-stacks.ts';
import { tenancyHandlers } from './handlers-tenancy.ts';
import { userHandlers } from './handlers-users.ts';
import { makeOperation } from './make.ts';
import { seed } from './seed.ts';
import { run } from './simulate.ts';
import type { MockState } from './state.ts';
import { DOMAIN, hint, iso, newId, record } from './state.ts';

export type Input<K extends RouteName> = { params: ParamsOf<Api[K]>; query: QueryOf<Api[K]>; body: BodyOf<Api[K]> };
export type Handlers = { readonly [K in RouteName]: (state: MockState, input: Input<K>) => ResponseOf<Api[K]> };

function whoami(state: MockState) {
  if (!state.signedIn) throw new BerthError('unauthenticated', 'Sign in first.');
  const { id, name, title } = state.organization;
  const entries = state.entries.filter((each) => each.endedAt === null && each.expiresAt > iso());
  return {
    user: state.user,
    preferences: state.accounts.preferences,
    via: 'session' as const,
    scopes: null,
    expiresAt: iso(Date.now() + 8 * 3_600_000),
    memberships: [
      {
        organization: { id, name, title },
        role: state.role,
        needsSecondFactor: state.factors.required && kindsOf(state).length === 0,
        entry: entries.find((each) => each.user.id === state.user.id && each.organization.id === id) ?? null,
      },
      ...entries
        .filter((each) => each.user.id === state.user.id && each.organization.id !== id)
        .map((each) => ({
          organization: each.organization,
          role: 'operator' as const,
          needsSecondFactor: false,
          entry: { id: each.id, reason: each.reason, expiresAt: each.expiresAt },
        })),
    ],
    projects: state.projects.map((each) => ({
      id: each.id,
      name: each.name,
      title: each.title,
      organization: each.organization,
      role: state.role,
    })),
  };
}
function member(state: MockState, each: MockState['members'][number]) {
  const self = each.user.id === state.user.id;
  return {
    ...each,
    user: { ...each.user, avatar: self ? state.accounts.preferences.avatar : null },
    secondFactor: self ? kindsOf(state).length > 0 : each.role === 'admin',
    can: {
      update: self ? 'The last owner stays owner.' : (true as const),
      remove: self ? 'The last owner cannot leave.' : (true as const),
      resetFactors: self
        ? 'Your own are under Account, Security.'
        : each.role === 'admin'
          ? (true as const)
          : 'There is no second factor.',
    },
  };
}
function image(each: MockState['images'][number]) {
  return {
    ...each,
    can: {
      build:
        each.source !== 'recipe'
          ? 'It was imported: import it again to renew it.'
          : each.state === 'building'
            ? 'It is being built.'
            : (true as const),
      delete: each.instances > 0 ? `${each.instances} instances were made from it.` : (true as const),
    },
  };
}

export function buildImage(
  state: MockState,
  row: MockState['images'][number],
  operation = makeOperation(
    state,
    'image.build',
    `Build image ${row.name}`,
    null,
    ['Fetch the packages', 'Unpack the base system', 'Configure', 'Pack the image', 'Publish it'],
    { target: row.name, usualSeconds: 190 },
  ),
) {
  row.state = 'building';
  const sync = setInterval(() => {
    const at = operation.steps.findIndex((each) => each.state === 'running');
    const step = operation.steps[at];
    if (step !== undefined)
      row.operation = {
        id: operation.id,
        percent: Math.round(((at + (step.percent ?? 0) / 100) / operation.steps.length) * 100),
        message: step.title,
      };
    hint('image', row.id);
  }, 700);
  run(
    state,
    operation,
    null,
    [0, 1, 2, 3, 4].map((at) => ({ at, ms: 14_000, percent: true })),
    () => {
      clearInterval(sync);
      Object.assign(row, {
        state: 'ready',
        operation: null,
        builtAt: iso(),
        outdated: false,
        fingerprint: 'a71f09cc'.repeat(8),
        sizeBytes: 380 * 1024 ** 2,
        error: null,
      });
      hint('image', row.id);
    },
  );
  return { operation, instance: null };
}

export const handlers: Handlers = {
  ...instanceHandlers,
  ...snapshotHandlers,
  ...operationHandlers,
  ...domainHandlers,
  ...dnsHandlers,
  ...fileHandlers,
  ...forwardHandlers,
  ...backupHandlers,
  ...stackHandlers,
  ...firewallHandlers,
  ...sessionHandlers,
  ...accountHandlers,
  ...mailHandlers,
  ...registrationHandlers(whoami),
  ...userHandlers,
  ...outsideHandlers(whoami),
  ...oidcClientHandlers,
  ...factorHandlers(whoami),
  setupState: (state) => ({ needed: state.setupNeeded, version: '0.1.0', domain: DOMAIN }),
  setup: (state, { body }) => {
    if (body.code.toUpperCase().replace(/[^A-Z0-9]/g, '') === 'WRONG1')
      throw new BerthError('invalid_input', 'This set-up code is not the one that was printed.', {
        fields: [{ field: 'code', message: 'Not the code that `berth up` printed.' }],
      });
    Object.assign(state.user, { email: body.email, name: body.name });
    if (body.organization !== undefined) Object.assign(state.organization, body.organization);
    Object.assign(state, { setupNeeded: false, signedIn: true });
    return whoami(state);
  },
  signIn: (state, { body }) => {
    if (body.password === 'wrong' || body.password === '')
      throw new BerthError('unauthenticated', 'E-mail and password do not match an account.');
    const factors = kindsOf(state);
    if (factors.length > 0) return { next: 'factor', factors, expiresAt: iso(Date.now() + SIGN_IN_MINUTES * 60_000) };
    state.signedIn = true;
    return { next: 'done', ...whoami(state) };
  },
  whoami: (state) => whoami(state),
  signOut: (state) => {
    state.signedIn = false;
    return undefined;
  },
  accountPassword: (_state, { body }) => {
    if (body.current === 'wrong')
      throw new BerthError('invalid_input', 'The current password is not right.', {
        fields: [{ field: 'current', message: 'This is not your current password.' }],
      });
    return undefined;
  },
  sessionsList: (state) => ({ items: state.sessions }),
  sessionsRevoke: (state, { params }) => {
    state.sessions = state.sessions.filter((each) => each.id !== params.session);
    hint('session', params.session);
    return undefined;
  },
  tokensList: (state) => ({ items: state.tokens }),
  tokensCreate: (state, { body }) => {
    const token = {
      id: newId('tok'),
      name: body.name,
      scopes: body.scopes,
      prefix: 'brt_T7vZ',
      createdAt: iso(),
      expiresAt: body.expiresInDays === null ? null : iso(Date.now() + body.expiresInDays * 86_400_000),
      lastUsedAt: null,
      lastUsedAddress: null,
    };
    state.tokens.unshift(token);
    return { ...token, secret: 'brt_T7vZq0mW3xkP9dLs5nYhRb2cUeGaJf8tXo4iVz6kQ1' };
  },
  tokensRevoke: (state, { params }) => {
    state.tokens = state.tokens.filter((each) => each.id !== params.token);
    return undefined;
  },
  membersList: (state, { query }) => ({
    items: state.members
      .filter(({ user }) => `${user.name} ${user.email}`.toLowerCase().includes((query.search ?? '').toLowerCase()))
      .map((each) => member(state, each)),
    nextCursor: null,
  }),
  membersUpdate: (state, { params, body }) => {
    const found = state.members.find((each) => each.user.id === params.user);
    if (found === undefined) throw notFound('member');
    found.role = body.role;
    hint('member', found.user.id);
    return member(state, found);
  },
  membersRemove: (state, { params }) => {
    state.members = state.members.filter((each) => each.user.id !== params.user);
    hint('member', params.user);
    return undefined;
  },
  invitationsList: (state) => ({ items: state.invitations.map(({ secret: _secret, ...each }) => each) }),
  invitationsCreate: (state, { body }) => {
    const secret = `inv_${newId('inv').slice(4)}`;
    const invitation = {
      id: newId('inv'),
      email: body.email,
      role: body.role,
      invitedBy: state.user.name,
      createdAt: iso(),
      expiresAt: iso(Date.now() + 7 * 86_400_000),
      acceptedAt: null,
    };
    state.invitations.unshift({ ...invitation, secret });
    record(state, 'member.invite', 'invitation', invitation.id, body.email);
    const link = state.accounts.mailServer === null ? `https://${DOMAIN}:9443/invitations/${secret}` : null;
    return { ...invitation, link };
  },
  invitationsRevoke: (state, { params }) => {
    state.invitations = state.invitations.filter((each) => each.id !== params.invitation);
    return undefined;
  },
  invitationRead: (state, { params }) => {
    const found = state.invitations.find((each) => each.secret === params.secret);
    if (found === undefined)
      throw new BerthError('gone', 'This invitation was used, withdrawn, or is older than 7 days. Ask for a new one.');
    return {
      email: found.email,
      role: found.role,
      organization: state.organization.title,
      invitedBy: found.invitedBy,
      expiresAt: found.expiresAt,
      accountExists: false,
    };
  },
  invitationAccept: (state) => {
    state.signedIn = true;
    return whoami(state);
  },
  ...settingsHandlers,
  ...tenancyHandlers,
  ...serviceAccountHandlers,
  ...sshHandlers,
  ...sshRecordingHandlers,
  ...quotaHandlers,
  ...platformHandlers,
  ...registryHandlers,
  imagesList: (state) => ({ items: state.images.map(image) }),
  imagesBuild: (state, { params }) => {
    const row = state.images.find((each) => each.id === params.image);
    if (row === undefined) throw notFound('image');
    return buildImage(state, row);
  },
  imagesImport: (state, { body }) => {
    const row: MockState['images'][number] = {
      id: newId('img'),
      name: body.name,
      kind: body.kind,
      title: body.title,
      source: body.type,
      state: 'queued',
      fingerprint: null,
      sizeBytes: null,
      outdated: false,
      builtAt: null,
      error: null,
      operation: null,
      instances: 0,
    };
    state.images.push(row);
    return buildImage(
      state,
      row,
      makeOperation(
        state,
        'image.import',
        `Import image ${row.name}`,
        null,
        ['Fetch the image', 'Check it', 'Allow it'],
        { target: row.name },
      ),
    );
  },
  imagesDelete: (state, { params }) => {
    const row = state.images.find((each) => each.id === params.image);
    if (row === undefined) throw notFound('image');
    const operation = makeOperation(
      state,
      'image.delete',
      `Delete image ${row.name}`,
      null,
      ['Remove it from the allow-list', 'Delete it'],
      { target: row.name },
    );
    run(state, operation, null, [], () => {
      state.images = state.images.filter((each) => each !== row);
      hint('image', row.id);
    });
    return { operation, instance: null };
  },
  hostsList: (state) => ({ items: state.hosts }),
  hostsGet: (state, { params }) => {
    const host = state.hosts.find((each) => each.id === params.host);
    if (host === undefined) throw notFound('host');
    return host;
  },
  ...metricHandlers,
  ...flowHandlers,
  ...dataHandlers,
  ...auditHandlers,
  events: () => {
    throw new BerthError('internal', 'The event stream is answered by the plugin itself.');
  },
  health: () => ({ status: 'ok', version: '0.1.0' }),
  ready: () => ({ status: 'ok', database: true, agent: true }),
  info: () => ({
    version: '0.1.0',
    domain: DOMAIN,
    consoleUrl: `https://${DOMAIN}:9443`,
    instanceUrlPattern: `https://{name}.${DOMAIN}`,
    sharedKernelNotice:
      'Desktops and servers share the kernel of their host. Give strangers who must not share one a machine of their own.',
  }),
};

export { seed };
