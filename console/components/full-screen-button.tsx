import { Maximize } from 'lucide-react';
import type { RefObject } from 'react';
import { IconButton } from '../ui/button.tsx';

/** Shows an element alone on the screen, and back. */
export function FullScreenButton({ frame }: { frame: RefObject<HTMLElement | null> }) {
  return (
    <IconButton
      label="Full screen"
      size="sm"
      onClick={() =>
        void (document.fullscreenElement === null ? frame.current?.requestFullscreen() : document.exitFullscreen())
      }
    >
      <Maximize />
    </IconButton>
  );
}
