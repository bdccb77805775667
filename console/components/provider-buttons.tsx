import { useQuery } from '@tanstack/react-query';
import { LogIn } from 'lucide-react';
import { useState } from 'react';
import { type ApiError, call, toApiError } from '../api/client.ts';
import { apiQuery } from '../api/queries.ts';
import { Button } from '../ui/button.tsx';
import { FormError } from './error-text.tsx';

/** One button for each identity provider; nothing while there is none. Leaves the page. */
export function ProviderButtons({ wanted }: { wanted: string | undefined }) {
  const query = useQuery(apiQuery('signInProviders', {}));
  const [busy, setBusy] = useState<string | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const providers = query.data?.items ?? [];
  if (providers.length === 0) return null;
  async function go(provider: string) {
    setBusy(provider);
    setFailure(null);
    try {
      const { url } = await call('signInOutside', { body: { provider, return: wanted } });
      location.assign(url);
    } catch (thrown) {
      setFailure(toApiError(thrown));
      setBusy(null);
    }
  }
  return (
    <div className="mt-4 flex flex-col gap-3 border-line border-t pt-4">
      {providers.map(({ name, title }) => (
        <Button key={name} icon={<LogIn />} busy={busy === name} onClick={() => void go(name)} className="w-full">
          Sign in with {title}
        </Button>
      ))}
      <FormError error={failure} />
    </div>
  );
}
