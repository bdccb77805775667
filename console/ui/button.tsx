import type { ComponentProps, ReactNode } from 'react';
import { cx } from './cx.ts';
import { Spinner } from './spinner.tsx';
import { Tooltip } from './tooltip.tsx';

export type ButtonTone = 'primary' | 'secondary' | 'ghost' | 'danger';
export type ButtonSize = 'sm' | 'md';

const tones: Record<ButtonTone, string> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent font-medium',
  secondary: 'bg-surface text-text border-line-strong hover:bg-hover',
  ghost: 'bg-transparent text-soft border-transparent hover:bg-hover hover:text-text',
  danger: 'bg-bad-fill text-white border-transparent hover:brightness-110 font-medium',
};
const sizes: Record<ButtonSize, string> = { sm: 'h-7 px-2.5 text-xs gap-1.5', md: 'h-8.5 px-3.5 text-sm gap-2' };

/** Class names of a button; for links that look like one. */
export function buttonClass(tone: ButtonTone = 'secondary', size: ButtonSize = 'md', extra?: string): string {
  return cx(
    'relative inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap rounded-md border transition-colors duration-75',
    'disabled:opacity-55 aria-disabled:opacity-55 active:not-disabled:translate-y-px [&_svg]:size-4 [&_svg]:shrink-0',
    sizes[size],
    tones[tone],
    extra,
  );
}

export type ButtonProps = Omit<ComponentProps<'button'>, 'disabled'> & {
  tone?: ButtonTone;
  size?: ButtonSize;
  /** Shows work; label and width stay. */
  busy?: boolean;
  /** A reason why it cannot be pressed now: shown on hover and focus, read out, and the press does nothing. */
  blocked?: string | false | undefined;
  icon?: ReactNode;
};

export function Button({
  tone = 'secondary',
  size = 'md',
  busy = false,
  blocked,
  icon,
  className,
  children,
  onClick,
  type = 'button',
  ...rest
}: ButtonProps) {
  const isBlocked = typeof blocked === 'string';
  const button = (
    <button
      {...rest}
      type={type}
      aria-disabled={isBlocked || busy || undefined}
      aria-busy={busy || undefined}
      className={buttonClass(tone, size, cx(isBlocked && 'hover:bg-transparent', className))}
      onClick={(event) => {
        if (isBlocked || busy) {
          event.preventDefault();
          return;
        }
        onClick?.(event);
      }}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
  return isBlocked ? <Tooltip label={blocked}>{button}</Tooltip> : button;
}

export type IconButtonProps = Omit<ComponentProps<'button'>, 'aria-label' | 'disabled'> & {
  label: string;
  size?: ButtonSize;
  tone?: ButtonTone;
  /** Leave the tooltip out (inside menus that open on press, for example). */
  quiet?: boolean;
  shortcut?: string;
};

export function IconButton({
  label,
  size = 'md',
  tone = 'ghost',
  quiet = false,
  shortcut,
  className,
  children,
  type = 'button',
  ...rest
}: IconButtonProps) {
  const button = (
    <button
      {...rest}
      type={type}
      aria-label={label}
      className={buttonClass(tone, size, cx('!px-0', size === 'sm' ? 'w-7' : 'w-8.5', className))}
    >
      {children}
    </button>
  );
  return quiet ? (
    button
  ) : (
    <Tooltip label={label} shortcut={shortcut}>
      {button}
    </Tooltip>
  );
}
