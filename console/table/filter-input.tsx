import { Search } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useShortcuts } from '../lib/keyboard.ts';
import { Input } from '../ui/input.tsx';
import { Kbd } from '../ui/kbd.tsx';

/** Text filter of a list: `/` focuses it, Escape clears it. What is typed goes to the address after a moment. */
export function FilterInput({
  value,
  onChange,
  label,
  placeholder = 'Filter',
  shortcut = true,
}: {
  value: string;
  onChange: (value: string) => void;
  label: string;
  placeholder?: string;
  /** Whether `/` jumps here; for the first of several. */
  shortcut?: boolean;
}) {
  const [text, setText] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => latest.current(text), 120);
    return () => clearTimeout(timer);
  }, [text, value]);
  useShortcuts(shortcut ? [{ keys: '/', label: 'Filter', group: 'Table', run: () => field.current?.focus() }] : []);
  return (
    <div className="relative w-full sm:w-64">
      <Search className="pointer-events-none absolute top-2.25 left-2.5 size-4 text-faint" aria-hidden="true" />
      <Input
        ref={field}
        type="search"
        aria-label={label}
        placeholder={placeholder}
        className="peer pl-8 [&::-webkit-search-cancel-button]:hidden"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            setText('');
            latest.current('');
            field.current?.blur();
          }
        }}
      />
      {shortcut ? (
        <Kbd className="pointer-events-none absolute top-2 right-2 peer-focus:hidden max-sm:hidden">/</Kbd>
      ) : null}
    </div>
  );
}
