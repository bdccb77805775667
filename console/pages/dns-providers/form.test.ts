import { describe, expect, it } from 'vitest';
import { makeDnsProvider } from '../../mock-api/handlers-dns.ts';
import { changeOf, dnsProviderForm, fieldsOf, newProviderOf } from './form.ts';

const server = { host: 'ns1.example.com', port: 53, keyName: 'berth', algorithm: 'hmac-sha256' as const };
const problems = (fields: object) =>
  (dnsProviderForm.safeParse(fields).error?.issues ?? []).map((issue) => issue.path.join('.'));

describe('V5: the form of a DNS provider', () => {
  it('V5: says what is missing for a new one of each kind', () => {
    const empty = fieldsOf(null);
    expect(problems(empty)).toEqual(['title', 'secret']);
    expect(problems({ ...empty, kind: 'rfc2136', title: 'A' })).toEqual(['secret', 'host', 'keyName', 'zones']);
  });

  it('V5: speaks the contract: sharing only for the installation, server only for name servers', () => {
    const filled = { ...fieldsOf(null), title: 'A', secret: 'c2VjcmV0c2VjcmV0', zones: 'Example.com, b.example.' };
    const cloudflare = dnsProviderForm.parse({ ...filled, shared: true });
    expect(newProviderOf(cloudflare, 'org_x')).toEqual({
      kind: 'cloudflare',
      title: 'A',
      secret: 'c2VjcmV0c2VjcmV0',
      zones: ['example.com', 'b.example'],
    });
    expect(newProviderOf(cloudflare, null)).toMatchObject({ shared: true });
    const named = dnsProviderForm.parse({ ...filled, kind: 'rfc2136', ...server });
    expect(newProviderOf(named, null)).toMatchObject({ kind: 'rfc2136', ...server, shared: false });
  });

  it('V5: keeps the secret when none is typed, and lets all zones be taken away', () => {
    const provider = makeDnsProvider(null, { kind: 'rfc2136', server, title: 'Office', zones: ['a.example'] });
    const fields = fieldsOf(provider);
    expect(changeOf(dnsProviderForm.parse(fields))).toEqual({ title: 'Office', zones: ['a.example'] });
    expect(changeOf(dnsProviderForm.parse({ ...fields, zones: ' ', secret: 'new' }))).toEqual({
      title: 'Office',
      zones: [],
      secret: 'new',
    });
  });
});
