import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, Download } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { apiQuery } from '../../../api/queries.ts';
import { LinkBadge } from '../../../components/link-state.tsx';
import { NotPossible } from '../../../components/not-possible.tsx';
import { plural } from '../../../lib/format.ts';
import { FilterInput } from '../../../table/filter-input.tsx';
import { Button, IconButton } from '../../../ui/button.tsx';
import { cx } from '../../../ui/cx.ts';
import { ErrorPanel } from '../../../ui/error-panel.tsx';
import { Select } from '../../../ui/select.tsx';
import { SkeletonRows } from '../../../ui/skeleton.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { useInstance } from '../context.ts';
import type { LogLine } from './use-logs.ts';
import { useLogs } from './use-logs.ts';

const LINE_PX = 20;
/** Closer to the end than this counts as "at the end" (pixels). */
const END_PX = 40;

const priorities = [
  { value: '7', label: 'Everything' },
  { value: '6', label: 'Information and up' },
  { value: '4', label: 'Warnings and up' },
  { value: '3', label: 'Errors only' },
] as const;
const names = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

function tone(priority: number): string {
  if (priority <= 3) return 'text-bad';
  if (priority === 4) return 'text-warn';
  return priority >= 7 ? 'text-faint' : 'text-text';
}

function Highlighted({ text, search }: { text: string; search: string }) {
  if (search === '') return text;
  const parts: React.ReactNode[] = [];
  const low = text.toLowerCase();
  const word = search.toLowerCase();
  let from = 0;
  for (let at = low.indexOf(word); at !== -1; at = low.indexOf(word, from)) {
    parts.push(
      text.slice(from, at),
      <mark key={at} className="rounded-sm bg-warn-soft text-warn">
        {text.slice(at, at + word.length)}
      </mark>,
    );
    from = at + word.length;
  }
  parts.push(text.slice(from));
  return <>{parts}</>;
}

export function LogsTab() {
  const instance = useInstance();
  const ability = instance.can.logs;
  if (ability !== true) return <NotPossible instance={instance} title="No logs now" reason={ability} />;
  return <LogView key={instance.id} id={instance.id} name={instance.name} stacks={instance.can.stacks === true} />;
}

/** What can be read beside the journal: stacks and their containers, and what the address names. */
function useSources(id: string, enabled: boolean, chosen: string | undefined) {
  const { data } = useQuery({ ...apiQuery('stacksList', { params: { instance: id } }), enabled });
  const sources = [
    ...(data?.items ?? []).flatMap((stack) => [
      { value: `stack:${stack.name}`, label: `Stack ${stack.name}` },
      ...stack.containers.map((each) => ({ value: `container:${each.name}`, label: `Container ${each.name}` })),
    ]),
    ...(data?.others ?? []).map((each) => ({ value: `container:${each.name}`, label: `Container ${each.name}` })),
  ];
  const known = chosen === undefined || sources.some(({ value }) => value === chosen);
  const extra = known ? [] : [{ value: chosen, label: chosen.replace(':', ' ') }];
  return [{ value: JOURNAL, label: 'Journal' }, ...sources, ...extra];
}

const JOURNAL = 'journal';

function LogView({ id, name, stacks }: { id: string; name: string; stacks: boolean }) {
  const search = useSearch({ from: '/shell/p/$project/instances/$instance/logs' });
  const navigate = useNavigate({ from: '/p/$project/instances/$instance/logs' });
  const [follow, setFollow] = useState(true);
  const text = search.q ?? '';
  const limit = search.priority ?? 7;
  const sources = useSources(id, stacks, search.of);
  const { lines, link, history } = useLogs(id, { search: text, follow, enabled: true, of: search.of });
  const shown = useMemo(() => {
    const word = text.toLowerCase();
    return lines.filter(
      (line) =>
        line.priority <= limit &&
        (word === '' || line.message.toLowerCase().includes(word) || line.unit.toLowerCase().includes(word)),
    );
  }, [lines, limit, text]);
  const box = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  });
  const count = shown.length;
  useEffect(() => {
    if (atEnd && count > 0) virtualizer.scrollToIndex(count - 1, { align: 'end' });
  }, [count, atEnd, virtualizer]);

  function save() {
    const content = shown
      .map((line) => `${line.ts} ${line.unit} ${names[line.priority] ?? line.priority}: ${line.message}`)
      .join('\n');
    const url = URL.createObjectURL(new Blob([content], { type: 'text/plain' }));
    const anchor = Object.assign(document.createElement('a'), { href: url, download: `${name}.log` });
    anchor.click();
    URL.revokeObjectURL(url);
  }

  return (
    <section aria-label={`Logs of ${name}`} className="flex min-h-0 flex-1 flex-col">
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <FilterInput
          label="Search in the logs"
          placeholder="Search messages and units"
          value={text}
          onChange={(q) =>
            void navigate({ search: (before) => ({ ...before, q: q === '' ? undefined : q }), replace: true })
          }
        />
        {sources.length === 1 ? null : (
          <Select
            label="Lines of"
            className="!w-56"
            value={search.of ?? JOURNAL}
            onChange={(value) =>
              void navigate({
                search: (before) => ({ ...before, of: value === JOURNAL ? undefined : value }),
                replace: true,
              })
            }
            options={sources}
          />
        )}
        <Select
          label="Priority"
          className="!w-48"
          value={String(limit) as (typeof priorities)[number]['value']}
          onChange={(value) =>
            void navigate({
              search: (before) => ({ ...before, priority: value === '7' ? undefined : Number(value) }),
              replace: true,
            })
          }
          options={priorities}
        />
        <Switch compact checked={follow} onChange={setFollow} label="Follow" />
        {follow ? <LinkBadge link={link} /> : null}
        <p className="tabular ml-auto text-faint text-xs">{plural(count, 'line')}</p>
        <IconButton label="Save what is shown" size="sm" onClick={save}>
          <Download />
        </IconButton>
      </div>
      <div className="card relative flex min-h-90 flex-1 flex-col overflow-hidden">
        {history.isPending ? (
          <SkeletonRows rows={8} />
        ) : history.isError && lines.length === 0 ? (
          <ErrorPanel
            title={history.error.title}
            detail={history.error.message}
            requestId={history.error.requestId}
            onRetry={() => void history.refetch()}
          />
        ) : (
          <div
            ref={box}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
            tabIndex={0}
            role="log"
            aria-label={search.of === undefined ? `Journal of ${name}` : `Lines of ${search.of.replace(':', ' ')}`}
            aria-live="off"
            className="min-h-0 flex-1 overflow-auto py-2 font-mono text-xs leading-5 outline-offset-[-2px]"
            onScroll={({ currentTarget }) =>
              setAtEnd(currentTarget.scrollHeight - currentTarget.scrollTop - currentTarget.clientHeight < END_PX)
            }
          >
            {count === 0 ? (
              <p className="px-4 py-8 text-center font-sans text-faint text-sm">
                {text === '' ? 'No lines yet.' : `Nothing matches “${text}”.`}
              </p>
            ) : null}
            <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
              {virtualizer.getVirtualItems().map((item) => {
                const line = shown[item.index] as LogLine;
                return (
                  <div
                    key={item.key}
                    data-index={item.index}
                    ref={virtualizer.measureElement}
                    className="absolute inset-x-0 flex gap-3 px-4 hover:bg-hover/60"
                    style={{ transform: `translateY(${item.start}px)` }}
                  >
                    <time dateTime={line.ts} title={line.ts} className="tabular shrink-0 text-faint">
                      {new Date(line.ts).toLocaleTimeString('en-GB')}
                    </time>
                    <span className="w-28 shrink-0 truncate text-accent max-sm:hidden" title={line.unit}>
                      {line.unit}
                    </span>
                    <span className={cx('min-w-0 flex-1 whitespace-pre-wrap break-all', tone(line.priority))}>
                      {line.priority <= 4 ? <span className="sr-only">{names[line.priority]}: </span> : null}
                      <Highlighted text={line.message} search={text} />
                    </span>
                  </div>
                );
              })}
            </div>
          </div>
        )}
        {atEnd || count === 0 ? null : (
          <Button
            size="sm"
            tone="primary"
            icon={<ArrowDown />}
            className="!absolute right-4 bottom-4 shadow-pop"
            onClick={() => setAtEnd(true)}
          >
            Newest
          </Button>
        )}
      </div>
    </section>
  );
}
