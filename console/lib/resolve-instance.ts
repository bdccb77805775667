import type { OutputOf } from '../api/client.ts';
import { call } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';

const idShape = /^ins_[0-9a-z]{26}$/;

/** Id of the instance that an address names (by name, or by id for deleted ones); null when there is none. */
export async function resolveInstance(project: string, ref: string): Promise<string | null> {
  if (idShape.test(ref)) return ref;
  const cached = queryClient.getQueriesData<OutputOf<'instancesList'>>({ queryKey: ['instancesList'] });
  for (const [, page] of cached) {
    const found = page?.items.find(
      (each) => each.name === ref && each.project === project && each.phase !== 'archived',
    );
    if (found !== undefined) return found.id;
  }
  return queryClient.fetchQuery({
    queryKey: ['resolve', project, ref],
    staleTime: 0,
    queryFn: async () => {
      const page = await call('instancesList', { params: { project }, query: { search: ref, limit: 200 } });
      return page.items.find((each) => each.name === ref)?.id ?? null;
    },
  });
}
