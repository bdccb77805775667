/** Short messages at the lower edge: what was done, what failed. */
import { Toaster } from 'sonner';

export function Toasts({ theme }: { theme: 'light' | 'dark' }) {
  return (
    <Toaster
      theme={theme}
      position="bottom-right"
      visibleToasts={4}
      closeButton
      toastOptions={{
        style: {
          fontFamily: 'var(--font-sans)',
          fontSize: '0.8125rem',
          background: 'var(--raised)',
          borderColor: 'var(--line)',
          color: 'var(--text)',
          boxShadow: 'var(--shadow-pop)',
        },
      }}
    />
  );
}
