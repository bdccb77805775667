import { describe, expect, it, vi } from 'vitest';
import type { RouteName } from '#contract/api.ts';
import { api } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import { handlers, seed } from './handlers.ts';
import { listeners, present } from './state.ts';

describe('the mock', () => {
  it('answers lists in the contract’s own shapes', () => {
    const state = seed();
    const params = {
      project: state.projects[0]?.id,
      organization: state.organization.id,
      instance: state.instances[0]?.id,
      operation: state.operations[0]?.id,
      host: state.hosts[0]?.id,
      table: 'instance',
      account: state.serviceAccounts[0]?.id,
    };
    const names: RouteName[] = [
      'whoami',
      'instancesList',
      'instancesGet',
      'snapshotsList',
      'routesList',
      'routesListProject',
      'forwardsList',
      'forwardsListProject',
      'backupsList',
      'backupsListProject',
      'securityGroupsList',
      'egressGet',
      'domainsList',
      'dnsProvidersList',
      'platformDnsProvidersList',
      'platformCertificateGet',
      'operationsList',
      'operationsGet',
      'imagesList',
      'hostsList',
      'hostsGet',
      'instanceMetrics',
      'projectMetrics',
      'hostMetrics',
      'dataTables',
      'dataRows',
      'membersList',
      'invitationsList',
      'auditList',
      'auditState',
      'platformAuditList',
      'platformAuditState',
      'platformAuditDeletedList',
      'keysList',
      'activityList',
      'quotaGet',
      'organizationQuotaGet',
      'platformQuotaGet',
      'rateLimitsGet',
      'outboundGet',
      'controlAccessGet',
      'tokensList',
      'sshKeysList',
      'sshAccess',
      'sshSessionsList',
      'sshRecordingsList',
      'sshRecordingPolicyGet',
      'serviceAccountsList',
      'serviceTokensList',
      'sessionsList',
      'signInProviders',
      'identitiesList',
      'identityProvidersList',
      'oidcClientsList',
      'info',
      'instancesLogs',
      'instancesContainers',
    ];
    for (const name of names) {
      const route = api[name] as RouteDefinition;
      const query = route.query?.parse({}) ?? {};
      const answer = (handlers[name] as (state: unknown, input: unknown) => unknown)(state, {
        params,
        query,
        body: undefined,
      });
      expect(route.response?.safeParse(answer).error, name).toBeUndefined();
    }
  });

  it('really creates: creating, then running, with hints on the way', () => {
    vi.useFakeTimers();
    const state = seed();
    const heard: string[] = [];
    const listener = (_id: number, hint: unknown) => heard.push((hint as { kind: string }).kind);
    listeners.add(listener);
    const project = state.projects[0]?.id as never;
    const accepted = handlers.instancesCreate(state, {
      params: { project },
      query: {},
      body: { kind: 'server', name: 'skiff', description: '' },
    });
    expect(accepted.instance?.state).toBe('creating');
    vi.advanceTimersByTime(30_000);
    const row = state.instances.find((each) => each.name === 'skiff');
    expect(row === undefined ? null : present(state, row).state).toBe('running');
    expect(state.operations.find((each) => each.id === accepted.operation.id)?.state).toBe('succeeded');
    expect(new Set(heard)).toEqual(new Set(['instance', 'operation', 'audit', 'quota']));
    listeners.delete(listener);
    vi.useRealTimers();
  });

  it('V7: keeps a group that rules of another name, and follows its new name', () => {
    const state = seed();
    const params = { project: state.projects[0]?.id as never };
    const { items } = handlers.securityGroupsList(state, { params, query: {}, body: undefined });
    const web = items.find((group) => group.name === 'web');
    if (web === undefined) throw new Error('no group');
    expect(web.usedBy).toEqual(['database']);
    const one = { params: { group: web.id }, query: {} };
    expect(() => handlers.securityGroupsDelete(state, { ...one, body: undefined })).toThrow('database');
    handlers.securityGroupsUpdate(state, { ...one, body: { name: 'front' } });
    expect(state.securityGroups.find((group) => group.name === 'database')?.rules[0]?.groups).toEqual(['front']);
  });

  it('fails what is named so, and undoes it', () => {
    vi.useFakeTimers();
    const state = seed();
    const accepted = handlers.instancesCreate(state, {
      params: { project: state.projects[0]?.id as never },
      query: {},
      body: { kind: 'server', name: 'fail-now', description: '' },
    });
    vi.advanceTimersByTime(30_000);
    const operation = state.operations.find((each) => each.id === accepted.operation.id);
    expect(operation?.state).toBe('failed');
    expect(operation?.steps.map((step) => step.state)).toEqual([
      'undone',
      'undone',
      'undone',
      'failed',
      'pending',
      'pending',
      'pending',
    ]);
    vi.useRealTimers();
  });
});
