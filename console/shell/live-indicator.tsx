import { formatRelative } from '../lib/format.ts';
import { lastHeardAt, liveState } from '../live/connection.ts';
import { Dot } from '../ui/badge.tsx';
import { useNow } from '../ui/time.tsx';
import { Tooltip } from '../ui/tooltip.tsx';

const words = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' } as const;
const tones = { connecting: 'idle', live: 'ok', reconnecting: 'warn' } as const;

function Heard() {
  const at = lastHeardAt.use();
  const now = useNow();
  const state = liveState.use();
  if (state === 'reconnecting')
    return <>The live connection is down. What you see is fetched every 10 seconds meanwhile.</>;
  return <>Changes appear by themselves. {at === null ? '' : `Last heard ${formatRelative(at, now)}.`}</>;
}

/** Says honestly whether what is shown is live. Quiet while all is well. */
export function LiveIndicator() {
  const state = liveState.use();
  return (
    <Tooltip label={<Heard />}>
      <button
        type="button"
        className="inline-flex h-8 items-center gap-1.5 rounded-md px-2 text-faint text-xs hover:bg-hover"
        aria-label={`Connection: ${words[state]}`}
      >
        <Dot tone={tones[state]} moving={state !== 'live'} className="!size-1.75" />
        <span className={state === 'live' ? 'max-md:sr-only' : ''} aria-live="polite">
          {words[state]}
        </span>
      </button>
    </Tooltip>
  );
}
