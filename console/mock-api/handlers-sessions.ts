/** Sessions, sign-ins of programs and keys, answered from memory. */
import type { RouteName } from '#contract/api.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { normaliseUserCode } from '#domain/sessions.ts';
import type { Handlers } from './handlers.ts';
import { iso } from './state.ts';

type Mine =
  | 'sessionsRevokeOthers'
  | 'oauthMetadata'
  | 'oauthDevice'
  | 'oauthToken'
  | 'oauthRevoke'
  | 'deviceLoginGet'
  | 'deviceLoginDecide'
  | 'keysList'
  | 'keysRotate'
  | 'keysRotateAudit'
  | 'jwks';

const madeAt = iso(Date.now() - 40 * 86_400_000);
const keys = {
  signing: [
    {
      id: 'key_01ja0c9r8e2m4k6t8v0x2z4b6d' as never,
      purpose: 'access' as const,
      state: 'signing' as const,
      createdAt: madeAt,
      activeFrom: madeAt,
      expiresAt: null,
    },
    {
      id: 'key_01ja0c9r8e2m4k6t8v0x2z4b6e' as never,
      purpose: 'identity' as const,
      state: 'waiting' as const,
      createdAt: iso(Date.now() - 300_000),
      activeFrom: iso(Date.now() + 600_000),
      expiresAt: null,
    },
    {
      id: 'key_01ja0c9r8e2m4k6t8v0x2z4b6f' as never,
      purpose: 'identity' as const,
      state: 'verifying' as const,
      createdAt: madeAt,
      activeFrom: madeAt,
      expiresAt: iso(Date.now() + 86_400_000),
    },
  ],
  sealing: [
    { id: '5f0c93d1', state: 'current' as const, createdAt: madeAt, secrets: 7 },
    { id: '0b77e41c', state: 'old' as const, createdAt: iso(Date.now() - 100 * 86_400_000), secrets: 2 },
  ],
  audit: [
    {
      id: 'q8Xv3mJtS2kLw0pYhN5cRzT1uGdEbFaI7oQxWyVs9Kc',
      state: 'signing' as const,
      createdAt: madeAt,
      retiredAt: null,
      follows: null,
    },
  ],
};

function notHere(): never {
  throw new BerthError('unsupported', 'Programs cannot sign in to the mock.');
}

/** BCDF-GHJK waits here, BCDF-GHJL waits somewhere else; nothing else waits. */
function waiting(typed: string) {
  const userCode = normaliseUserCode(typed);
  if (userCode !== 'BCDF-GHJK' && userCode !== 'BCDF-GHJL') throw notFound('code');
  const sameAddress = userCode === 'BCDF-GHJK';
  return {
    id: 'dvl_01ja0c9r8e2m4k6t8v0x2z4b6d' as never,
    userCode,
    client: 'berth on workbench',
    address: sameAddress ? '192.0.2.17' : '203.0.113.80',
    sameAddress,
    scopes: sameAddress ? null : ['instance.*', 'project.read'],
    createdAt: iso(Date.now() - 40_000),
    expiresAt: iso(Date.now() + 560_000),
  };
}

export const sessionHandlers: Pick<Handlers, Extract<RouteName, Mine>> = {
  sessionsRevokeOthers: (state) => {
    state.sessions = state.sessions.filter((each) => each.current);
    return undefined;
  },
  oauthMetadata: notHere,
  oauthDevice: notHere,
  oauthToken: notHere,
  oauthRevoke: notHere,
  deviceLoginGet: (_state, { params }) => waiting(params.code),
  deviceLoginDecide: (_state, { params }) => {
    waiting(params.code);
    return undefined;
  },
  keysList: () => keys,
  keysRotate: () => keys,
  keysRotateAudit: () => keys,
  jwks: () => ({ keys: [] }),
};
