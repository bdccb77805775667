import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useRef } from 'react';
import { toast } from 'sonner';
import type { Instance } from '#contract/instances.ts';
import type { OutputOf } from '../api/client.ts';
import { call, newIdempotencyKey, toApiError } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { ConfirmDialog } from '../ui/dialog.tsx';
import type { InstanceAction, PlannedCall } from './instances.ts';
import { actionById, blockedReason } from './instances.ts';
import { actionRequest } from './request.ts';

const ActionForm = lazy(() => import('./forms.tsx').then((module) => ({ default: module.ActionForm })));

/** Puts what a 202 answered into the caches at once, so that lists show the change before the hint arrives. */
export function absorbAccepted(accepted: OutputOf<'instancesArchive'>): void {
  const { instance, operation } = accepted;
  queryClient.setQueryData(['operationsGet', { params: { operation: operation.id } }], operation);
  if (instance === null) return;
  queryClient.setQueryData(['instancesGet', { params: { instance: instance.id } }], instance);
  queryClient.setQueriesData<OutputOf<'instancesList'>>(
    { queryKey: ['instancesList'] },
    (page) =>
      page && {
        ...page,
        items: page.items.map((each) =>
          each.id === instance.id && each.version <= instance.version ? instance : each,
        ),
      },
  );
  void queryClient.invalidateQueries({ queryKey: ['instancesList'] });
  void queryClient.invalidateQueries({ queryKey: ['operationsList'] });
}

async function perform(planned: PlannedCall): Promise<OutputOf<'instancesArchive'>> {
  // Every call of an action answers 202 with the same shape; the union of names is too wide for the compiler to see it.
  return (await call(planned.name as 'instancesArchive', planned.input as never, {
    idempotencyKey: newIdempotencyKey(),
  })) as OutputOf<'instancesArchive'>;
}

/** Shows the dialog of whatever was asked for last, does it, and tells how it went. */
export function ActionHost() {
  const request = actionRequest.use();
  if (request === null) return null;
  const action = actionById(request.action);
  const close = () => actionRequest.set(null);
  if (action.kind === 'form') {
    const instance = request.instances[0];
    return instance === undefined ? null : (
      <Suspense>
        <ActionForm key={request.nonce} action={action.id} instance={instance} onClose={close} />
      </Suspense>
    );
  }
  if (action.kind !== 'call') return null;
  return <CallAction key={request.nonce} action={action} instances={request.instances} onClose={close} />;
}

function CallAction({
  action,
  instances,
  onClose,
}: {
  action: InstanceAction & { kind: 'call' };
  instances: readonly Instance[];
  onClose: () => void;
}) {
  const navigate = useNavigate();
  const possible = instances.filter((each) => blockedReason(action, each) === undefined);
  const confirm = possible.length === 0 ? undefined : action.confirm?.(possible);
  const started = useRef(false);

  /** Rejects only where the dialog is still there to say why. */
  async function run() {
    const results = await Promise.allSettled(possible.map((each) => perform(action.call(each))));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [toApiError(result.reason)] : []));
    for (const result of results) if (result.status === 'fulfilled') absorbAccepted(result.value);
    const first = failures[0];
    if (first !== undefined && confirm !== undefined && results.length === 1) throw first;
    if (first !== undefined) {
      toast.error(failures.length === 1 ? first.title : `${failures.length} of ${results.length} failed`, {
        description: `${first.message}${first.requestId === null ? '' : ` (request ${first.requestId})`}`,
      });
    }
    const done = results.find((result) => result.status === 'fulfilled');
    if (done !== undefined) {
      const count = results.length - failures.length;
      const operation = done.value.operation.id;
      toast.message(`${action.done} ${count === 1 ? (possible[0]?.name ?? '') : `${count} instances`}`, {
        action:
          count === 1
            ? { label: 'Steps', onClick: () => void navigate({ to: '/operations/$operation', params: { operation } }) }
            : undefined,
      });
    }
  }

  // Actions without a question start at once.
  // biome-ignore lint/correctness/useExhaustiveDependencies: exactly once per request
  useEffect(() => {
    if (started.current || confirm !== undefined) return;
    started.current = true;
    if (possible.length === 0) {
      const first = instances[0];
      toast.error(`${action.label} is not possible`, {
        description: first === undefined ? undefined : blockedReason(action, first),
      });
      onClose();
    } else void run().then(onClose);
  }, []);

  if (confirm === undefined) return null;
  const skipped = instances.length - possible.length;
  return (
    <ConfirmDialog
      onClose={onClose}
      onConfirm={run}
      title={confirm.title}
      body={
        <>
          <p>{confirm.body}</p>
          {skipped > 0 ? (
            <p className="mt-2">{skipped} of the selected cannot do this now and are left as they are.</p>
          ) : null}
          {possible.length > 3 ? (
            <p className="mt-2 break-words">{possible.map((each) => each.name).join(', ')}</p>
          ) : null}
        </>
      }
      confirmLabel={confirm.confirmLabel}
      danger={confirm.danger}
      typeName={confirm.typeName}
    />
  );
}
