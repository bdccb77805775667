import { Check, Copy } from 'lucide-react';
import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { copyText } from '../lib/clipboard.ts';
import { IconButton } from './button.tsx';
import { cx } from './cx.ts';

export function useCopy(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, (text) => void copyText(text).then(setCopied)];
}

export function CopyButton({ text, label = 'Copy', className }: { text: string; label?: string; className?: string }) {
  const [copied, copy] = useCopy();
  return (
    <IconButton label={copied ? 'Copied' : label} size="sm" className={className} onClick={() => copy(text)}>
      {copied ? <Check className="!size-3.5 text-ok" /> : <Copy className="!size-3.5" />}
      <span className="sr-only" aria-live="polite">
        {copied ? 'Copied' : ''}
      </span>
    </IconButton>
  );
}

/** An id, address or host name with its copy button. */
export function Copyable({
  text,
  children,
  mono = true,
  className,
}: {
  text: string;
  children?: ReactNode;
  mono?: boolean;
  className?: string;
}) {
  return (
    <span className={cx('inline-flex min-w-0 max-w-full items-center gap-0.5', className)}>
      <span className={cx('truncate', mono && 'mono')}>{children ?? text}</span>
      <CopyButton text={text} label={`Copy ${text.length > 40 ? '' : text}`.trim()} className="!h-6 !w-6" />
    </span>
  );
}
