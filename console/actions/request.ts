import type { Instance } from '#contract/instances.ts';
import { createStore } from '../lib/store.ts';
import type { InstanceActionId } from './instances.ts';

/** What somebody asked to do: the action host (actions/host.tsx) shows the dialog, if any, and does it. */
export type ActionRequest = { action: InstanceActionId; instances: readonly Instance[]; nonce: number };

export const actionRequest = createStore<ActionRequest | null>(null);

let nonce = 0;
/** Asks for an action on one or several instances; from a row, a detail page, the palette or the bulk bar alike. */
export function requestAction(action: InstanceActionId, instances: readonly Instance[]): void {
  actionRequest.set({ action, instances, nonce: ++nonce });
}
