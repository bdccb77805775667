import { CopyButton } from './copy-button.tsx';
import { cx } from './cx.ts';

/** A command or text to copy. */
export function CodeBlock({ code, label, className }: { code: string; label: string; className?: string }) {
  return (
    <div className={cx('group relative rounded-md border border-line bg-code', className)}>
      <pre className="overflow-x-auto whitespace-pre-wrap wrap-anywhere px-3 py-2.5 pr-11 text-text text-xs leading-relaxed">
        <code>{code}</code>
      </pre>
      <div className="absolute top-1.5 right-1.5">
        <CopyButton text={code} label={`Copy ${label}`} />
      </div>
    </div>
  );
}
