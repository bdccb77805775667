import { useState } from 'react';
import type { Route, RouteRulesInput } from '#contract/routes.ts';
import {
  allowProblem,
  headerValueProblem,
  ROUTE_HEADERS_MAX,
  ROUTE_NETWORKS_MAX,
  ROUTE_PASSWORD_LENGTH_MIN,
  type RouteHeader,
  requestHeaderProblem,
  responseHeaderProblem,
  routeBodyLimits,
} from '#domain/route-rules.ts';
import { Field, Input, Textarea } from '../ui/input.tsx';
import { Select } from '../ui/select.tsx';

/** The rules as somebody edits them: lists as lines of text. */
export type RulesDraft = {
  allow: string;
  body: string;
  protocol: 'http1' | 'h2c';
  request: string;
  response: string;
  user: string;
  password: string;
};

const headerLines = (headers: readonly RouteHeader[]) =>
  headers.map(({ name, value }) => `${name}: ${value}`.trim()).join('\n');

export function draftOf(route: Route | undefined): RulesDraft {
  const rules = route?.rules;
  return {
    allow: (rules?.allow ?? []).join('\n'),
    body: String(rules?.bodyBytesMax ?? 'none'),
    protocol: rules?.protocol ?? 'http1',
    request: headerLines(rules?.requestHeaders ?? []),
    response: headerLines(rules?.responseHeaders ?? []),
    user: rules?.basicAuth?.user ?? '',
    password: '',
  };
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

function headersOf(text: string): RouteHeader[] {
  return linesOf(text).map((line) => {
    const colon = line.indexOf(':');
    return colon === -1
      ? { name: line, value: '' }
      : { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() };
  });
}

function headersProblem(text: string, nameProblem: (name: string) => string | null): string | undefined {
  const headers = headersOf(text);
  if (headers.length > ROUTE_HEADERS_MAX) return `At most ${ROUTE_HEADERS_MAX}.`;
  for (const { name, value } of headers) {
    const problem = nameProblem(name) ?? headerValueProblem(value);
    if (problem !== null) return `${name}: ${problem}`;
  }
  return undefined;
}

export type RulesProblems = Partial<Record<keyof RulesDraft, string>>;

/** What is wrong, by field; empty when all is well. */
export function rulesProblems(draft: RulesDraft, before: Route | undefined): RulesProblems {
  const networks = linesOf(draft.allow);
  const network = networks.find((line) => allowProblem(line) !== null);
  const allow =
    network !== undefined
      ? `${network}: ${allowProblem(network)}`
      : networks.length > ROUTE_NETWORKS_MAX
        ? `At most ${ROUTE_NETWORKS_MAX}.`
        : undefined;
  const request = headersProblem(draft.request, requestHeaderProblem);
  const response = headersProblem(draft.response, responseHeaderProblem);
  const user = draft.user.trim();
  const kept = before?.rules.basicAuth?.user === user && draft.password === '';
  const password =
    user !== '' && !kept && draft.password.length < ROUTE_PASSWORD_LENGTH_MIN
      ? `At least ${ROUTE_PASSWORD_LENGTH_MIN} characters.`
      : undefined;
  const name = user !== '' && !/^[A-Za-z0-9._-]{1,64}$/.test(user) ? 'Letters, digits and . _ - only.' : undefined;
  const all = { allow, request, response, password, user: name };
  return Object.fromEntries(Object.entries(all).filter(([, problem]) => problem !== undefined));
}

/** What to send: only what differs from `before`. */
export function rulesOf(draft: RulesDraft, before: Route | undefined): RouteRulesInput | undefined {
  const old = draftOf(before);
  const user = draft.user.trim();
  const changed: RouteRulesInput = {
    ...(draft.allow === old.allow ? {} : { allow: linesOf(draft.allow) }),
    ...(draft.body === old.body
      ? {}
      : { bodyBytesMax: routeBodyLimits.find((bytes) => String(bytes) === draft.body) ?? null }),
    ...(draft.protocol === old.protocol ? {} : { protocol: draft.protocol }),
    ...(draft.request === old.request ? {} : { requestHeaders: headersOf(draft.request) }),
    ...(draft.response === old.response ? {} : { responseHeaders: headersOf(draft.response) }),
    ...(user === old.user && draft.password === ''
      ? {}
      : { basicAuth: user === '' ? null : { user, password: draft.password } }),
  };
  return Object.keys(changed).length === 0 ? undefined : changed;
}

/** How many rules are in force, for the line that opens the fields. */
export function countRules(draft: RulesDraft): number {
  const { allow, body, protocol, request, response, user } = draft;
  return (
    [allow, request, response, user].filter((text) => text.trim() !== '').length +
    (body === 'none' ? 0 : 1) +
    (protocol === 'http1' ? 0 : 1)
  );
}

const mono = 'font-mono text-xs';

/** Fields of a route's rules, folded while there are none. */
export function RouteRulesFields({
  draft,
  problems,
  onChange,
}: {
  draft: RulesDraft;
  problems: RulesProblems;
  onChange: (draft: RulesDraft) => void;
}) {
  const count = countRules(draft);
  const [open, setOpen] = useState(count > 0);
  const set = (change: Partial<RulesDraft>) => onChange({ ...draft, ...change });
  return (
    <details
      className="rounded-md border border-line"
      open={open || Object.keys(problems).length > 0}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="cursor-pointer px-3 py-2 font-medium text-sm">Rules{count > 0 ? ` (${count})` : ''}</summary>
      <div className="flex flex-col gap-4 border-line border-t p-3">
        <Field
          label="Only from these networks"
          optional
          error={problems.allow}
          hint="One per line, such as 192.0.2.0/24. Empty: from everywhere."
        >
          {(aria) => (
            <Textarea
              {...aria}
              spellCheck={false}
              className={mono}
              value={draft.allow}
              onChange={(event) => set({ allow: event.target.value })}
            />
          )}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="User" optional error={problems.user} hint="Browsers ask for it before anything is shown.">
            {(aria) => (
              <Input
                {...aria}
                autoComplete="off"
                value={draft.user}
                onChange={(event) => set({ user: event.target.value })}
              />
            )}
          </Field>
          <Field label="Password" optional error={problems.password} hint="Empty keeps the one that is set.">
            {(aria) => (
              <Input
                {...aria}
                type="password"
                autoComplete="new-password"
                value={draft.password}
                onChange={(event) => set({ password: event.target.value })}
              />
            )}
          </Field>
          <Field label="Largest body">
            {(aria) => (
              <Select
                {...aria}
                value={draft.body}
                onChange={(body) => set({ body })}
                options={[
                  { value: 'none', label: 'No limit' },
                  ...routeBodyLimits.map((bytes) => ({ value: String(bytes), label: `${bytes / 1_000_000} MB` })),
                ]}
              />
            )}
          </Field>
          <Field label="Program inside speaks">
            {(aria) => (
              <Select
                {...aria}
                value={draft.protocol}
                onChange={(protocol) => set({ protocol })}
                options={[
                  { value: 'http1', label: 'HTTP/1.1' },
                  { value: 'h2c', label: 'HTTP/2 (gRPC)' },
                ]}
              />
            )}
          </Field>
        </div>
        <Field
          label="Headers for the program inside"
          optional
          error={problems.request}
          hint="One per line, such as X-Environment: test."
        >
          {(aria) => (
            <Textarea
              {...aria}
              spellCheck={false}
              className={mono}
              value={draft.request}
              onChange={(event) => set({ request: event.target.value })}
            />
          )}
        </Field>
        <Field
          label="Headers of answers"
          optional
          error={problems.response}
          hint="One per line, such as X-Frame-Options: DENY. Without a value the header is removed."
        >
          {(aria) => (
            <Textarea
              {...aria}
              spellCheck={false}
              className={mono}
              value={draft.response}
              onChange={(event) => set({ response: event.target.value })}
            />
          )}
        </Field>
      </div>
    </details>
  );
}
