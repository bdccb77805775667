/**
 * What can be called without a right: by anybody, or by anybody signed in for themselves. The lists may only shrink: a
 * new endpoint asks for an action of domain/authz.ts. Whoever adds a line here says in the review why nobody can be hurt.
 */
import { describe, expect, it } from 'vitest';
import { actions, platformActions, roles } from '#domain/authz.ts';
import { allRoutes } from './api.ts';
import { callers, mayCall } from './permissions.ts';

/** Nobody is signed in yet, or a program that is none of ours asks: a secret in the call, or nothing to hide. */
const open = [
  'account.email.confirm',
  'identity-providers.logout',
  'invitation.accept',
  'invitation.read',
  'keys.public',
  'oauth.device',
  'oauth.metadata',
  'oauth.revoke',
  'oauth.token',
  'password-reset.complete',
  'password-reset.create',
  'registration.complete',
  'registration.create',
  'registration.read',
  'registration.state',
  'session.create',
  'session.factor',
  'session.outside',
  'session.outside.finish',
  'session.passkey',
  'session.passkey.options',
  'session.providers',
  'setup.complete',
  'setup.state',
  'system.health',
  'system.ready',
];

/** How many there are of those about the caller alone: their account, sessions, tokens, factors. */
const OWN_MAX = 43;

describe('I4: endpoints that ask for no right', () => {
  it('I4: no rule lets everybody in, but for the endpoints that are named here one by one', () => {
    const found = allRoutes.filter((route) => callers.every((caller) => mayCall(route.access, caller)));
    expect(found.map((route) => route.id).sort()).toEqual(open);
    expect(found.every((route) => route.access === 'public')).toBe(true);
  });

  it('I4: what is about the caller alone names nobody else: no id of an organization, project or thing in the path', () => {
    const own = allRoutes.filter((route) => route.access === 'self');
    expect(own.length).toBeLessThanOrEqual(OWN_MAX);
    for (const route of own) {
      expect(route.path, route.id).not.toMatch(
        /:(organization|project|instance|group|invitation|host|image|snapshot)\b/,
      );
    }
  });

  it('I4: every other endpoint is refused to somebody: signed out, of another tenant, and of the lowest role', () => {
    for (const route of allRoutes) {
      if (route.access === 'public' || route.access === 'self') continue;
      expect(mayCall(route.access, 'nobody'), route.id).toBe(false);
      if (actions.some((action) => action === route.access)) {
        expect(mayCall(route.access, 'another tenant'), route.id).toBe(false);
        expect(
          roles.filter((role) => !mayCall(route.access, role)),
          route.id,
        ).not.toEqual([]);
      } else {
        expect(
          platformActions.some((action) => action === route.access),
          route.id,
        ).toBe(true);
      }
    }
  });
});
