/** Finding somebody among many: the server searches, and only what fits is shown. */
import { Input } from '../ui/input.tsx';

export function SubjectSearch({
  label,
  value,
  onChange,
  more,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** There are more than are shown. */
  more: boolean;
}) {
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <Input
        type="search"
        aria-label={label}
        placeholder={label}
        autoComplete="off"
        spellCheck={false}
        maxLength={100}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      {more ? <p className="text-faint text-xs">There are more. Type part of the name or address.</p> : null}
    </div>
  );
}
