import { queryClient } from '../../api/queries.ts';

export const refreshDomains = () => queryClient.invalidateQueries({ queryKey: ['domainsList'] });
