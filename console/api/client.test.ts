import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { api } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import type { InputOf, OutputOf, RouteName } from './client.ts';
import { ApiError, buildRequest, call, toApiError } from './client.ts';
import { apiQuery, queryClient } from './queries.ts';
import { apiTable } from './table.ts';

const instance = 'ins_01j00000000000000000000000';

function answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
  vi.stubGlobal(
    'fetch',
    vi.fn(
      async () =>
        new Response(body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body), {
          status,
          headers,
        }),
    ),
  );
}
afterEach(() => vi.unstubAllGlobals());

describe('the table', () => {
  it('names method and path of every endpoint of the contract, and no other', () => {
    const wanted = Object.fromEntries(
      Object.entries(api).map(([name, route]) => [name, `${(route as RouteDefinition).method} ${route.path}`]),
    );
    expect(apiTable).toEqual(wanted);
  });
  it('carries the contract’s types', () => {
    expectTypeOf<OutputOf<'instancesGet'>['name']>().toEqualTypeOf<string>();
    expectTypeOf<OutputOf<'signOut'>>().toEqualTypeOf<undefined>();
    expectTypeOf<{ params: { instance: string } }>().toExtend<InputOf<'instancesGet'>>();
    expectTypeOf<Record<never, never>>().not.toExtend<InputOf<'instancesGet'>>();
    expectTypeOf<RouteName>().toEqualTypeOf<keyof typeof api>();
  });
});

describe('buildRequest', () => {
  it('fills in path parameters, encoded', () => {
    expect(buildRequest('invitationRead', { params: { secret: 'a/b?c' } }).url).toBe('/api/v1/invitations/a%2Fb%3Fc');
    expect(buildRequest('instancesPower', { params: { instance, action: 'stop' } })).toMatchObject({
      method: 'POST',
      url: `/api/v1/instances/${instance}/actions/stop`,
    });
  });
  it('leaves out what is not given', () => {
    expect(buildRequest('instancesList', { params: { project: 'prj_x' }, query: { limit: 10, search: '' } }).url).toBe(
      '/api/v1/projects/prj_x/instances?limit=10',
    );
  });
  it('refuses an empty parameter, which would name another endpoint', () => {
    expect(() => buildRequest('instancesGet', { params: { instance: '' } })).toThrow('needs the parameter "instance"');
  });
  it('makes a body only where there is one', () => {
    expect(buildRequest('accountUpdate', { body: { name: 'Ada' } }).body).toBe('{"name":"Ada"}');
    expect(buildRequest('instancesArchive', { params: { instance } }).body).toBeUndefined();
  });
});

describe('call', () => {
  it('answers with the body, and undefined for 204', async () => {
    answer(200, { needed: false, version: '1', domain: 'd' });
    expect(await call('setupState', {})).toEqual({ needed: false, version: '1', domain: 'd' });
    answer(204, undefined);
    expect(await call('signOut', {})).toBeUndefined();
  });
  it('sends the session cookie, JSON and the idempotency key', async () => {
    answer(200, {});
    await call('accountUpdate', { body: { name: 'Ada' } }, { idempotencyKey: 'key-1' });
    expect(fetch).toHaveBeenCalledWith(
      '/api/v1/account',
      expect.objectContaining({
        method: 'PATCH',
        credentials: 'same-origin',
        headers: { accept: 'application/json', 'content-type': 'application/json', 'idempotency-key': 'key-1' },
      }),
    );
  });
  it('turns problem JSON into an ApiError with fields and request id', async () => {
    answer(409, {
      type: 't',
      title: 'That name is taken',
      status: 409,
      detail: '"web" is taken.',
      code: 'name_taken',
      requestId: 'req-1',
      fields: [{ field: 'name', message: 'taken' }],
    });
    const error = await call('setupState', {}).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'name_taken',
      status: 409,
      message: '"web" is taken.',
      requestId: 'req-1',
      fields: [{ field: 'name', message: 'taken' }],
    });
  });
  it('says so when a proxy answers in place of Berth', async () => {
    answer(502, '<html>Bad gateway</html>', { 'x-request-id': 'req-9' });
    await expect(call('setupState', {})).rejects.toMatchObject({ code: 'unavailable', requestId: 'req-9' });
    answer(418, 'short and stout');
    await expect(call('setupState', {})).rejects.toMatchObject({ code: 'internal', status: 418 });
  });
  it('reports a lost network as such', async () => {
    vi.stubGlobal(
      'fetch',
      vi.fn(async () => Promise.reject(new TypeError('Failed to fetch'))),
    );
    await expect(call('setupState', {})).rejects.toMatchObject({ code: 'network' });
  });
  it('I2: what is asked again while an answer is under way breaks nothing off: it may carry the secret of the session', async () => {
    const signals: (AbortSignal | null | undefined)[] = [];
    vi.stubGlobal(
      'fetch',
      vi.fn((_url: string, init?: RequestInit) => {
        signals.push(init?.signal);
        return new Promise((resolve) =>
          setTimeout(() => resolve(Response.json({ needed: false, version: '1', domain: 'x' })), 20),
        );
      }),
    );
    const query = apiQuery('setupState', {});
    const first = queryClient.fetchQuery(query).catch(() => undefined);
    await queryClient.invalidateQueries({ queryKey: query.queryKey, refetchType: 'all' });
    await queryClient.cancelQueries({ queryKey: query.queryKey });
    await first;
    expect(signals.length).toBeGreaterThan(0);
    expect(signals.map((signal) => signal?.aborted)).toEqual(signals.map(() => false));
  });
});

it('makes an ApiError of anything thrown', () => {
  expect(toApiError(new Error('x'))).toMatchObject({ code: 'internal', message: 'x' });
  expect(toApiError('y').message).toBe('y');
});
