import { createStore } from './store.ts';

/** State of the thing in view, shown before the page's name in the tab's title. */
export const titleState = createStore<string | null>(null);
