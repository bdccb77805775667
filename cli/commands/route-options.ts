/** The options of `routes add` and `routes update` that become rules of a route. */
import type { Command } from 'commander';
import type { InputOf } from '../client.ts';
import { usageError } from '../errors.ts';

export type RouteOptions = {
  redirect?: string;
  redirectStatus?: string;
  allow?: string[];
  bodyLimit?: string;
  protocol?: string;
  requestHeader?: string[];
  responseHeader?: string[];
  basicAuth?: string;
};

type Body = InputOf<'routesUpdate'>['body'];
type Rules = NonNullable<Body['rules']>;

const SIZES: Record<string, Rules['bodyBytesMax']> = {
  none: null,
  '1MB': 1_000_000,
  '10MB': 10_000_000,
  '100MB': 100_000_000,
  '1GB': 1_000_000_000,
};
const STATUSES = [301, 302, 307, 308] as const;

const several = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function addRouteOptions(command: Command): Command {
  return command
    .option('--redirect <url>', 'send people to another address instead')
    .option('--redirect-status <status>', '301, 302, 307 or 308', '302')
    .option('--allow <network>', 'only from this network (several times; "all" for everybody)', several)
    .option('--body-limit <size>', `largest body: ${Object.keys(SIZES).join(', ')}`)
    .option('--protocol <protocol>', 'how the program inside speaks: http1 or h2c (gRPC)')
    .option('--request-header <header>', '"X-Name: value" for the program inside (several times; "none")', several)
    .option('--response-header <header>', '"Name: value" on answers, "Name:" removes (several times; "none")', several)
    .option('--basic-auth <user:password>', 'browsers ask for it first ("none" takes it away)');
}

function headers(lines: readonly string[]): { name: string; value: string }[] {
  if (lines.length === 1 && lines[0] === 'none') return [];
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) throw usageError(`"${line}" is not a header.`, 'Write it as "Name: value".');
    return { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() };
  });
}

function basicAuth(text: string): Rules['basicAuth'] {
  if (text === 'none') return null;
  const colon = text.indexOf(':');
  if (colon < 1) throw usageError('That is not a user and a password.', 'Write them as USER:PASSWORD.');
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** What the options ask for; nothing when none was given. */
export function routeOptionsBody(options: RouteOptions): Pick<Body, 'redirect' | 'rules'> {
  const status = STATUSES.find((known) => String(known) === (options.redirectStatus ?? '302'));
  if (status === undefined)
    throw usageError(`"${options.redirectStatus}" is not a status.`, `One of ${STATUSES.join(', ')}.`);
  const { allow, bodyLimit, protocol, requestHeader, responseHeader } = options;
  if (bodyLimit !== undefined && !(bodyLimit in SIZES)) {
    throw usageError(`"${bodyLimit}" is not a size.`, `One of ${Object.keys(SIZES).join(', ')}.`);
  }
  if (protocol !== undefined && protocol !== 'http1' && protocol !== 'h2c') {
    throw usageError(`"${protocol}" is not a protocol.`, 'http1 or h2c.');
  }
  const rules: Rules = {
    ...(allow === undefined ? {} : { allow: allow.length === 1 && allow[0] === 'all' ? [] : allow }),
    ...(bodyLimit === undefined ? {} : { bodyBytesMax: SIZES[bodyLimit] ?? null }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(requestHeader === undefined ? {} : { requestHeaders: headers(requestHeader) }),
    ...(responseHeader === undefined ? {} : { responseHeaders: headers(responseHeader) }),
    ...(options.basicAuth === undefined ? {} : { basicAuth: basicAuth(options.basicAuth) }),
  };
  return {
    ...(options.redirect === undefined ? {} : { redirect: { to: options.redirect, status } }),
    ...(Object.keys(rules).length === 0 ? {} : { rules }),
  };
}
