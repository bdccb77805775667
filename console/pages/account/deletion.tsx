import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { DeletionDialog } from '../../components/deletion-dialog.tsx';
import { useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';

export function DeletionCard() {
  const [open, setOpen] = useState(false);
  return (
    <Card title="Delete the account">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-md text-sm text-soft">
          You are asked who takes over what only you own. Instances stay with their organizations.
        </p>
        <Button onClick={() => setOpen(true)}>Delete my account…</Button>
      </div>
      {open ? <OwnDeletion onClose={() => setOpen(false)} /> : null}
    </Card>
  );
}

function OwnDeletion({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const { user } = useSession();
  const query = useQuery(apiQuery('deletionGet', {}));
  return (
    <DeletionDialog
      title="Delete your account?"
      email={user.email}
      query={query}
      onClose={onClose}
      onDelete={async (handOver) => {
        await call('accountDelete', { body: { email: user.email, handOver } });
        queryClient.clear();
        await navigate({ to: '/sign-in', search: { return: undefined } });
      }}
    />
  );
}
