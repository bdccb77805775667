import { afterEach, describe, expect, it, vi } from 'vitest';
import { call } from './client.ts';
import { askToConfirm, settleStepUp, stepUpRequests } from './step-up.ts';

const refusal = () =>
  new Response(
    JSON.stringify({
      type: '/docs/errors#step_up_required',
      title: 'Confirm first',
      status: 403,
      code: 'step_up_required',
      detail: 'Confirm that it is you before your second factors change.',
    }),
    { status: 403 },
  );
const done = () => new Response(JSON.stringify({ recoveryCodes: ['a'] }), { status: 201 });
function answers(...responses: (() => Response)[]) {
  const fetch = vi.fn(async () => (responses.shift() ?? refusal)());
  vi.stubGlobal('fetch', fetch);
  return fetch;
}
const asked = () => vi.waitFor(() => expect(stepUpRequests.get().length).toBeGreaterThan(0));

afterEach(() => {
  settleStepUp(false);
  vi.unstubAllGlobals();
});

describe('I3: a dangerous call', () => {
  it('I3: asks with the reason of the server, and is repeated once after the answer', async () => {
    const fetch = answers(refusal, done);
    const result = call('recoveryCodesCreate', {});
    await asked();
    expect(stepUpRequests.get()[0]?.reason).toContain('before your second factors change');
    settleStepUp(true);
    expect(await result).toEqual({ recoveryCodes: ['a'] });
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it('I3: fails with the server’s words when the person does not confirm; nothing is repeated', async () => {
    const fetch = answers(refusal, done);
    const result = call('recoveryCodesCreate', {}).catch((error: Error) => error.message);
    await asked();
    settleStepUp(false);
    expect(await result).toContain('Confirm that it is you');
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('I3: does not ask a second time when the confirmation was not enough', async () => {
    const fetch = answers(refusal, refusal);
    const result = call('recoveryCodesCreate', {}).catch((error: Error) => error.message);
    await asked();
    settleStepUp(true);
    expect(await result).toContain('Confirm that it is you');
    expect(fetch).toHaveBeenCalledTimes(2);
    expect(stepUpRequests.get()).toEqual([]);
  });

  it('I3: one answer serves all calls that wait', async () => {
    const both = Promise.all([askToConfirm('one'), askToConfirm('two')]);
    settleStepUp(true);
    expect(await both).toEqual([true, true]);
  });
});
