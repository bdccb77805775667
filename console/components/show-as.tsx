import { useState } from 'react';
import type { PlannedCall } from '../actions/instances.ts';
import type { InputOf, RouteName } from '../api/client.ts';
import { buildRequest } from '../api/client.ts';
import { CodeBlock } from '../ui/code-block.tsx';
import { Segmented } from '../ui/segmented.tsx';

/** A value as one word of a POSIX shell command line. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The call as a curl command; the token stays a variable. */
export function asCurl(planned: PlannedCall, origin: string): string {
  const { method, url, body } = buildRequest(planned.name, planned.input as InputOf<RouteName>);
  const lines = [`curl -sS -X ${method} ${shellWord(origin + url)}`, `-H "Authorization: Bearer $BERTH_TOKEN"`];
  if (body !== undefined) lines.push(`-H 'Content-Type: application/json'`, `-d ${shellWord(body)}`);
  return lines.join(' \\\n  ');
}

/** "Show as CLI / API": what the form or action in front of you would be on the command line. */
export function ShowAs({ cli, planned }: { cli: string; planned: PlannedCall }) {
  const [view, setView] = useState<'cli' | 'api' | 'json'>('cli');
  const { body } = buildRequest(planned.name, planned.input as InputOf<RouteName>);
  const code =
    view === 'cli'
      ? cli
      : view === 'api'
        ? asCurl(planned, location.origin)
        : JSON.stringify(JSON.parse(body ?? '{}'), null, 2);
  return (
    <div className="flex flex-col gap-2">
      <Segmented
        label="Show as"
        className="w-fit"
        value={view}
        onChange={setView}
        options={[
          { value: 'cli', label: 'CLI' },
          { value: 'api', label: 'API' },
          ...(body === undefined ? [] : [{ value: 'json' as const, label: 'JSON' }]),
        ]}
      />
      <CodeBlock code={code} label={view === 'cli' ? 'command' : view === 'api' ? 'API call' : 'request body'} />
    </div>
  );
}
