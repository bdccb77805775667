import { describe, expect, it } from 'vitest';
import { identityProviderRoutes } from '#contract/identity-providers.ts';
import { oidcClientRoutes } from '#contract/oidc-clients.ts';
import * as clients from '../oidc-clients/form.ts';
import { bodyOf, fieldsOf, providerForm } from './form.ts';

const complete = { ...fieldsOf(null), issuer: 'https://id.example.com/realms/main', clientId: 'berth' };

describe('the form of an identity provider', () => {
  it('makes what the contract takes, and leaves an empty secret out so that the stored one stays', () => {
    const fields = providerForm.parse({ ...complete, domains: 'Example.com, example.org', provisioning: 'domains' });
    const body = identityProviderRoutes.identityProvidersCreate.body.parse(bodyOf(fields));
    expect(body).toMatchObject({ domains: ['example.com', 'example.org'], scopes: ['openid', 'email', 'profile'] });
    expect('clientSecret' in bodyOf(fields)).toBe(false);
    expect(bodyOf({ ...fields, clientSecret: 'x' }).clientSecret).toBe('x');
    expect(bodyOf({ ...fields, groupsClaim: '' }).groupsClaim).toBeNull();
  });

  it('says what is missing', () => {
    const result = providerForm.safeParse({ ...complete, issuer: '', provisioning: 'domains', domains: ' ' });
    expect(result.error?.issues.map((issue) => issue.path[0]).sort()).toEqual(['domains', 'issuer']);
    const domains = providerForm.safeParse({ ...complete, provisioning: 'domains', domains: ' ' });
    expect(domains.error?.issues.map((issue) => issue.path[0])).toEqual(['domains']);
  });
});

describe('the form of an app', () => {
  it('makes what the contract takes; everybody is no organization', () => {
    const fields = clients.clientForm.parse({
      ...clients.fieldsOf(null),
      title: 'Wiki',
      redirectUris: 'https://wiki.example.com/callback\n http://localhost:8080/callback ',
    });
    const body = oidcClientRoutes.oidcClientsCreate.body.parse(clients.bodyOf(fields, null));
    expect(body).toMatchObject({
      organization: null,
      app: null,
      redirectUris: ['https://wiki.example.com/callback', 'http://localhost:8080/callback'],
    });
  });

  it('names the address that cannot be registered', () => {
    const wrong = { ...clients.fieldsOf(null), title: 'Wiki', redirectUris: 'http://wiki.example.com/callback' };
    expect(clients.clientForm.safeParse(wrong).error?.issues[0]?.message).toContain('http://wiki.example.com');
  });
});
