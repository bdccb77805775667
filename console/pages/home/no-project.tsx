import { FolderX } from 'lucide-react';
import { EmptyState } from '../../ui/empty-state.tsx';

export function NoProjectPage() {
  return (
    <EmptyState icon={<FolderX />} title="You are in no project yet">
      Somebody who manages an organization can invite you. When they have, reload this page.
    </EmptyState>
  );
}
