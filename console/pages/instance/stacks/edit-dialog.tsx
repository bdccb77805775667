import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import { type StackProblem, stackFile, stackNameProblem } from '#domain/stacks.ts';
import { call, toApiError } from '../../../api/client.ts';
import { apiQuery } from '../../../api/queries.ts';
import { EditorDialog } from '../../../components/editor-dialog.tsx';
import { Button } from '../../../ui/button.tsx';
import { Field, Input } from '../../../ui/input.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { refreshStacks } from './containers-table.tsx';

const EXAMPLE = `services:
  web:
    image: nginx:1
    restart: unless-stopped
    ports:
      - "8080:80"
`;

/** The compose file of a stack, a new one without `stack`. What Compose says is wrong stands below it, with its line. */
export function StackEditDialog({
  instance,
  stack,
  blocked,
  onClose,
  onUp,
}: {
  instance: string;
  stack?: string | undefined;
  blocked: string | undefined;
  onClose: () => void;
  onUp: (stack: string) => void;
}) {
  const adding = stack === undefined;
  const query = useQuery({
    ...apiQuery('stacksRead', { params: { instance, stack: stack ?? '' } }),
    enabled: !adding,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    retry: false,
  });
  const [name, setName] = useState('');
  const [nameError, setNameError] = useState<string | undefined>(undefined);
  const [changed, setChanged] = useState<string | null>(adding ? EXAMPLE : null);
  const [saved, setSaved] = useState<{ name: string; version: string } | null>(null);
  const [problems, setProblems] = useState<readonly StackProblem[] | null>(null);
  const [line, setLine] = useState<{ number: number } | null>(null);
  const [busy, setBusy] = useState<'check' | 'save' | 'up' | null>(null);
  const [failure, setFailure] = useState<ReturnType<typeof toApiError> | null>(null);
  const start = adding ? EXAMPLE : query.data?.text;
  const called = saved?.name ?? stack ?? name.trim();
  const version = saved?.version ?? query.data?.version;
  const text = changed ?? start ?? '';

  async function check(): Promise<boolean> {
    const answer = await call('stacksCheck', { params: { instance, stack: called }, body: { text } });
    setProblems(answer.problems);
    const first = answer.problems.find((problem) => problem.line !== null);
    if (first?.line != null) setLine({ number: first.line });
    return answer.problems.length === 0;
  }

  async function write(over: boolean): Promise<void> {
    const params = { instance, stack: called };
    let known = version;
    if (over) known = (await call('stacksRead', { params })).version;
    const file =
      known === undefined
        ? await call('stacksCreate', { params: { instance }, body: { name: called, text } })
        : await call('stacksWrite', { params, body: { text, version: known } });
    setSaved({ name: called, version: file.version });
    setChanged((now) => (now === text ? null : now));
    refreshStacks();
  }

  async function run(what: 'check' | 'save' | 'up', over = false): Promise<void> {
    const problem = stackNameProblem(called);
    setNameError(problem ?? undefined);
    if (problem !== null || busy !== null) return;
    setBusy(what);
    setFailure(null);
    try {
      const right = await check();
      if (what === 'check' || !right) return;
      if (changed !== null || version === undefined) {
        await write(over);
        toast.success(`${called} is saved`);
      }
      if (what === 'up') {
        onUp(called);
        onClose();
      }
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.code === 'name_taken') setNameError(error.message);
      else setFailure(error);
    } finally {
      setBusy(null);
    }
  }
  const dirty = changed !== null && changed !== start;

  return (
    <EditorDialog
      title={adding ? 'New stack' : `Compose file of ${stack}`}
      description={adding ? stackFile(called === '' ? 'NAME' : called) : query.data?.path}
      height={{ editor: 'h-[42dvh]' }}
      dirty={dirty}
      failure={failure}
      onSaveOver={version === undefined ? undefined : () => void run('save', true)}
      loadError={query.error === null ? null : toApiError(query.error)}
      editor={
        start === undefined
          ? null
          : {
              name: 'compose.yaml',
              text: start,
              readOnly: blocked !== undefined,
              line,
              onChange: (next) => {
                setChanged(next);
                setProblems(null);
              },
              onSave: () => void run('save'),
            }
      }
      buttons={
        start === undefined ? null : (
          <>
            <Button busy={busy === 'check'} blocked={blocked} onClick={() => void run('check')}>
              Check
            </Button>
            <Button
              busy={busy === 'save'}
              blocked={blocked ?? (changed === null ? 'Nothing is changed.' : undefined)}
              onClick={() => void run('save')}
            >
              Save
            </Button>
            <Button tone="primary" busy={busy === 'up'} blocked={blocked} onClick={() => void run('up')}>
              Save and start
            </Button>
          </>
        )
      }
      above={
        adding ? (
          <Field label="Name" error={nameError} hint="Names its folder and begins the names of its containers.">
            {(aria) => (
              <Input
                {...aria}
                autoFocus
                autoComplete="off"
                spellCheck={false}
                value={name}
                readOnly={saved !== null}
                onChange={(event) => setName(event.target.value)}
              />
            )}
          </Field>
        ) : null
      }
      below={
        <div aria-live="polite">
          {problems === null ? null : problems.length === 0 ? (
            <Notice tone="ok" title="Docker Compose accepts this file." />
          ) : (
            <Notice tone="bad" title="Docker Compose refuses this file; nothing was saved.">
              <ul className="flex flex-col gap-1">
                {problems.map((problem) => (
                  <li key={`${problem.line} ${problem.message}`} className="flex items-baseline gap-2">
                    {problem.line === null ? null : (
                      <Button size="sm" onClick={() => setLine({ number: problem.line ?? 1 })}>
                        Line {problem.line}
                      </Button>
                    )}
                    <span className="mono min-w-0 break-words text-xs">{problem.message}</span>
                  </li>
                ))}
              </ul>
            </Notice>
          )}
        </div>
      }
      onClose={onClose}
    />
  );
}
