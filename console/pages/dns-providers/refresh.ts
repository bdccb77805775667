import { queryClient } from '../../api/queries.ts';

/** Whatever shows providers or what they keep. */
export async function refreshDns(): Promise<void> {
  await Promise.all(
    ['dnsProvidersList', 'platformDnsProvidersList', 'platformCertificateGet', 'domainsList'].map((name) =>
      queryClient.invalidateQueries({ queryKey: [name] }),
    ),
  );
}
