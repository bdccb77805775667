import { Ban, Check } from 'lucide-react';
import { describeRule, formatRule, type NetworkRule, type RuleDirection } from '#domain/network-rules.ts';
import { cx } from '../../ui/cx.ts';

const headings: Record<RuleDirection, string> = { in: 'Coming in', out: 'Going out' };

/** Rules in sentences: denials first, because they win, then what is allowed, then what happens to the rest. */
export function RuleList({
  rules,
  rest,
}: {
  rules: readonly NetworkRule[];
  rest: (direction: RuleDirection) => string;
}) {
  const directions = (['in', 'out'] as const).filter((direction) => rules.some((rule) => rule.direction === direction));
  return (
    <div className="flex flex-col gap-4">
      {directions.map((direction) => (
        <div key={direction}>
          <p className="mb-1 font-medium text-faint text-xs">{headings[direction]}</p>
          <ul className="flex flex-col gap-1 text-sm">
            {rules
              .filter((rule) => rule.direction === direction)
              .toSorted((a, b) => Number(a.action === 'allow') - Number(b.action === 'allow'))
              .map((rule) => (
                <li key={formatRule(rule)} className="flex items-start gap-2">
                  {rule.action === 'allow' ? (
                    <Check className="mt-0.5 size-4 shrink-0 text-ok" aria-hidden="true" />
                  ) : (
                    <Ban className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden="true" />
                  )}
                  <span className="min-w-0 break-words">
                    <span className={cx('font-medium', rule.action === 'allow' ? 'text-ok' : 'text-bad')}>
                      {rule.action === 'allow' ? 'Allowed' : 'Denied'}
                    </span>{' '}
                    {describeRule(rule)}
                  </span>
                </li>
              ))}
            <li className="pl-6 text-soft">{rest(direction)}</li>
          </ul>
        </div>
      ))}
    </div>
  );
}

/** What becomes of whatever no rule of a group names. */
export function restOfGroup(rules: readonly NetworkRule[], direction: RuleDirection): string {
  const narrowed = rules.some((rule) => rule.direction === direction && rule.action === 'allow');
  if (narrowed) return 'Everything else is denied.';
  return direction === 'in'
    ? 'Everything else may come in, where a port forward leads.'
    : 'Everything else may go out.';
}
