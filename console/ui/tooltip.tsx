import { Tooltip as Base } from '@base-ui/react/tooltip';
import type { ReactElement, ReactNode } from 'react';
import { Kbd } from './kbd.tsx';

/** Words on hover and focus of one element. Not for anything that cannot be learnt elsewhere on touch screens. */
export function Tooltip({
  label,
  shortcut,
  children,
}: {
  label: ReactNode;
  shortcut?: string | undefined;
  children: ReactElement;
}) {
  return (
    <Base.Root>
      <Base.Trigger render={children as ReactElement<Record<string, unknown>>} delay={350} closeOnClick={false} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} className="z-50">
          <Base.Popup className="max-w-72 rounded-md bg-text px-2 py-1 text-xs text-canvas shadow-pop transition-opacity duration-75 data-ending-style:opacity-0 data-starting-style:opacity-0">
            {label}
            {shortcut === undefined ? null : (
              <Kbd className="ml-2 !border-canvas/30 !bg-transparent !text-canvas/80">{shortcut}</Kbd>
            )}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export const TooltipProvider = Base.Provider;
