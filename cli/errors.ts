/**
 * How the program fails: exit codes scripts can rely on, one error type, and a hint that says what to do next.
 * Documented in docs/reference/cli.md (generated from `exitCodes`).
 */
import type { Problem } from '#contract/common.ts';
import type { ErrorCode, FieldError } from '#domain/errors.ts';

export const exitCodes = {
  ok: { code: 0, meaning: 'It worked.' },
  failure: { code: 1, meaning: 'It failed: the operation ended in an error, or something unexpected happened.' },
  usage: { code: 2, meaning: 'The command line or a value in it is not valid.' },
  notSignedIn: { code: 3, meaning: 'Not signed in, or the token was revoked or has expired.' },
  notFound: { code: 4, meaning: 'No such thing, or it is not yours.' },
  conflict: { code: 5, meaning: 'The current state, a taken name or the quota does not allow it.' },
  timeout: { code: 6, meaning: 'It took longer than allowed (`--timeout`); the work itself goes on.' },
  unavailable: { code: 7, meaning: 'Berth cannot be reached, is not available, or asks to try again later.' },
  interrupted: { code: 130, meaning: 'Interrupted with Ctrl-C; work that Berth had accepted goes on.' },
} as const;
export type ExitName = keyof typeof exitCodes;

export type CliErrorOptions = {
  hint?: string;
  code?: ErrorCode | 'network' | 'usage' | 'interrupted' | 'operation_failed' | 'audit_broken';
  requestId?: string | null;
  fields?: readonly FieldError[];
  retryAfterSeconds?: number | null;
  cause?: unknown;
};

/** Every failure the program explains. `message` and `hint` are for people. */
export class CliError extends Error {
  readonly exit: ExitName;
  readonly hint: string | null;
  readonly code: string;
  readonly requestId: string | null;
  readonly fields: readonly FieldError[];
  readonly retryAfterSeconds: number | null;

  constructor(exit: ExitName, message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.exit = exit;
    this.hint = options.hint ?? null;
    this.code = options.code ?? 'usage';
    this.requestId = options.requestId ?? null;
    this.fields = options.fields ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}

/** A wrong command line. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError('usage', message, { code: 'usage', ...(hint === undefined ? {} : { hint }) });
}

const exitOfCode: Record<ErrorCode, ExitName> = {
  invalid_input: 'usage',
  unauthenticated: 'notSignedIn',
  forbidden: 'notFound',
  forbidden_origin: 'failure',
  step_up_required: 'notSignedIn',
  second_factor_required: 'notSignedIn',
  not_found: 'notFound',
  conflict: 'conflict',
  name_taken: 'conflict',
  state_conflict: 'conflict',
  quota_exceeded: 'conflict',
  idempotency_conflict: 'conflict',
  gone: 'notFound',
  too_large: 'usage',
  unsupported: 'failure',
  rate_limited: 'unavailable',
  internal: 'failure',
  upstream_failed: 'failure',
  unavailable: 'unavailable',
  timeout: 'timeout',
};

const hintOfCode: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'Sign in with: berth login',
  step_up_required: 'Confirm with: berth confirm',
  second_factor_required: 'Set one up in the console under Account, Security.',
  not_found: 'See what there is with the matching "list" command; another project needs --project.',
  name_taken: 'Choose another name.',
  quota_exceeded: 'See limits and use with: berth quotas show. Delete something, or ask an administrator for more.',
  internal: 'Look the request id up in the server log: ./berth logs server',
  unavailable: 'On the host, ./berth status says what is down.',
};

/** Turns a problem document of the API into what the program prints. */
export function errorFromProblem(problem: Problem): CliError {
  const wait = problem.retryAfterSeconds;
  const hint =
    problem.code === 'rate_limited' && wait !== undefined
      ? `Try again in ${Math.ceil(wait)} s.`
      : hintOfCode[problem.code];
  return new CliError(exitOfCode[problem.code] ?? 'failure', problem.detail, {
    code: problem.code,
    requestId: problem.requestId,
    fields: problem.fields ?? [],
    retryAfterSeconds: wait ?? null,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What goes to stderr for people: message, wrong fields, hint, request id. */
export function describeError(error: unknown): string {
  if (!(error instanceof CliError)) {
    const message = error instanceof Error ? error.message : String(error);
    return `error: ${message}\n`;
  }
  const lines = [`error: ${error.message}`];
  for (const field of error.fields) lines.push(`  ${field.field}: ${field.message}`);
  if (error.hint !== null) lines.push(`hint: ${error.hint}`);
  if (error.requestId !== null) lines.push(`request id: ${error.requestId}`);
  return `${lines.join('\n')}\n`;
}

/** The same for scripts (`--json`): one line of JSON on stderr. */
export function errorAsJson(error: unknown): string {
  const known = error instanceof CliError ? error : new CliError('failure', describeError(error).slice(7).trim());
  return `${JSON.stringify({
    error: {
      code: error instanceof CliError ? known.code : 'internal',
      message: known.message,
      hint: known.hint,
      requestId: known.requestId,
      fields: known.fields,
      retryAfterSeconds: known.retryAfterSeconds,
      exitCode: exitCodes[known.exit].code,
    },
  })}\n`;
}

/** Another program ended with this code, and so do we; it has said why. */
export class ExitStatus extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`ended with ${status}`);
    this.status = status;
  }
}

export function exitCodeOf(error: unknown): number {
  return exitCodes[error instanceof CliError ? error.exit : 'failure'].code;
}
