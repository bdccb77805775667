import type { Instance } from '#contract/instances.ts';
import { isMoving, stateTones, stateWords } from '../lib/instance-view.ts';
import { Badge } from '../ui/badge.tsx';

/** State in words and colour; while something is changing it, the step. */
export function StateBadge({ instance }: { instance: Instance }) {
  const { state, operation } = instance;
  const moving = isMoving(state) || operation !== null;
  return (
    <Badge tone={moving && stateTones[state] !== 'bad' ? 'busy' : stateTones[state]} dot moving={moving}>
      {stateWords[state]}
    </Badge>
  );
}
