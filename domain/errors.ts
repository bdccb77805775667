/**
 * The one error type used inside every process. `message` is safe to show to the caller, `detail` never leaves the log.
 * The HTTP edge maps `code` once to RFC 9457 problem JSON; a test keeps this catalogue, the docs and the contract equal.
 */
export const errorCatalogue = {
  invalid_input: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'Sign in first' },
  forbidden: { status: 403, title: 'You may not enter here' },
  step_up_required: { status: 403, title: 'Confirm that it is you' },
  second_factor_required: { status: 403, title: 'This organization asks for a second factor' },
  forbidden_origin: { status: 403, title: 'The request came from another site' },
  not_found: { status: 404, title: 'Not found, or not yours' },
  conflict: { status: 409, title: 'This conflicts with the current state' },
  name_taken: { status: 409, title: 'That name is taken' },
  state_conflict: { status: 409, title: 'Not possible in the current state' },
  quota_exceeded: { status: 409, title: 'The quota does not allow this' },
  idempotency_conflict: { status: 409, title: 'This idempotency key was used for another request' },
  gone: { status: 410, title: 'No longer there' },
  too_large: { status: 413, title: 'Too large' },
  unsupported: { status: 422, title: 'Not supported here' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong inside Berth' },
  upstream_failed: { status: 502, title: 'A part that Berth depends on answered with an error' },
  unavailable: { status: 503, title: 'Not available right now' },
  timeout: { status: 504, title: 'It took too long' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export type FieldError = { field: string; message: string };

export type BerthErrorOptions = {
  detail?: string;
  cause?: unknown;
  fields?: FieldError[];
  /** Seconds after which a retry may work (rate limits, unavailability). */
  retryAfterSeconds?: number;
};

export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly fields: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BerthError';
    this.code = code;
    this.detail = options.detail;
    this.fields = options.fields;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** Not found and not allowed look alike, so that existence is not leaked. */
export function notFound(what: string): BerthError {
  return new BerthError('not_found', `There is no such ${what}, or you may not see it.`);
}

/** Whether the door refused: nothing there, not theirs, or not within the scopes of their token. */
export function isRefused(error: unknown): boolean {
  return error instanceof BerthError && (error.code === 'not_found' || error.code === 'forbidden');
}

/** Narrow an unknown to BerthError; anything else becomes `internal` with the cause kept for the log. */
export function toBerthError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  return new BerthError('internal', 'Something went wrong inside Berth. The request id helps to find it in the log.', {
    cause: error,
    detail: error instanceof Error ? error.message : String(error),
  });
}
