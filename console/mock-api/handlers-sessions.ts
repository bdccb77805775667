/** Sessions, sign-ins of programs and keys, answered from memory. */
import type { RouteName } from '#contract/api.ts';
import type { Handlers } from './handlers.ts';
import { iso } from './state.ts';

type Mine = 'keysList' | 'keysRotate' | 'jwks';

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
  ],
  sealing: [{ id: '5f0c93d1', state: 'current' as const, createdAt: madeAt, secrets: 7 }],
};

export const sessionHandlers: Pick<Handlers, Extract<RouteName, Mine>> = {
  keysList: () => keys,
  keysRotate: () => keys,
  jwks: () => ({ keys: [] }),
};
