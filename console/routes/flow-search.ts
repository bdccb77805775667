/** What the address says about the list of what left an instance. */
export type FlowSearch = {
  q?: string | undefined;
  verdict?: 'allowed' | 'denied' | undefined;
  hours?: 1 | 24 | undefined;
};

export function readFlowSearch(search: Record<string, unknown>): FlowSearch {
  const { q, verdict, hours } = search;
  return {
    // A port alone is read as a number.
    q: typeof q === 'number' ? String(q) : typeof q === 'string' && q !== '' ? q.slice(0, 255) : undefined,
    verdict: verdict === 'allowed' || verdict === 'denied' ? verdict : undefined,
    hours: hours === 1 || hours === 24 ? hours : undefined,
  };
}
