import { useSyncExternalStore } from 'react';

/** Whether a media query holds now, for what is not merely hidden but not loaded at all on small screens. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const list = matchMedia(query);
      list.addEventListener('change', onChange);
      return () => list.removeEventListener('change', onChange);
    },
    () => matchMedia(query).matches,
  );
}
