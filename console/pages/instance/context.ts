import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import type { Instance } from '#contract/instances.ts';
import { apiQuery } from '../../api/queries.ts';
import { isMoving } from '../../lib/instance-view.ts';
import { liveState } from '../../live/connection.ts';

/** While something changes and the live connection is down, it is asked this often (milliseconds). */
const CHANGING_POLL_MS = 2000;

export function useInstanceQuery() {
  const { instanceId } = useRouteContext({ from: '/shell/p/$project/instances/$instance' });
  const live = liveState.use() === 'live';
  return useQuery({
    ...apiQuery('instancesGet', { params: { instance: instanceId } }),
    refetchInterval: ({ state }) =>
      !live && state.data !== undefined && (isMoving(state.data.state) || state.data.operation !== null)
        ? CHANGING_POLL_MS
        : false,
  });
}

/** The instance in view. The layout renders tabs only once it is there. */
export function useInstance(): Instance {
  const { data } = useInstanceQuery();
  if (data === undefined) throw new Error('useInstance is for tabs below the instance layout');
  return data;
}
