/**
 * Dangerous calls answer `step_up_required` when the last confirmation is too long ago. The client then asks here, the
 * dialog (components/step-up-dialog.tsx) answers, and the call is repeated once.
 */
import { createStore } from '../lib/store.ts';

export type StepUpRequest = { reason: string; settle: (confirmed: boolean) => void };

/** Waiting questions, oldest first; one answer serves all. */
export const stepUpRequests = createStore<readonly StepUpRequest[]>([]);

/** Resolves to whether the person confirmed. */
export function askToConfirm(reason: string): Promise<boolean> {
  return new Promise((settle) => stepUpRequests.set((before) => [...before, { reason, settle }]));
}

export function settleStepUp(confirmed: boolean): void {
  const waiting = stepUpRequests.get();
  stepUpRequests.set([]);
  for (const each of waiting) each.settle(confirmed);
}
