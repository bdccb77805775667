import type { LinkState } from '../live/socket.ts';
import { Dot } from '../ui/badge.tsx';

/** Where a connection to an instance stands, in words. */
export function LinkBadge({ link }: { link: LinkState }) {
  const [tone, words] =
    link.state === 'connected'
      ? (['ok', 'Connected'] as const)
      : link.state === 'connecting'
        ? (['busy', 'Connecting'] as const)
        : link.state === 'reconnecting'
          ? (['warn', 'Reconnecting'] as const)
          : (['idle', 'Not connected'] as const);
  return (
    <span role="status" className="inline-flex items-center gap-1.5 whitespace-nowrap px-1 text-soft text-xs">
      <Dot tone={tone} moving={link.state === 'connecting' || link.state === 'reconnecting'} className="!size-1.75" />
      {words}
    </span>
  );
}
