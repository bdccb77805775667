import { useQuery } from '@tanstack/react-query';
import { ArrowDownToLine, BrushCleaning, Layers, Play, Plus, RotateCw, Square, SquarePen, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Stack } from '#contract/stacks.ts';
import { isFinished } from '#domain/operations.ts';
import { type DockerState, STACKS_FOLDER, type StackVerb } from '#domain/stacks.ts';
import { call, toApiError } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { NotPossible } from '../../../components/not-possible.tsx';
import { QueryView } from '../../../components/query-view.tsx';
import { RouteForm } from '../../../components/route-form.tsx';
import { StopOperation } from '../../../components/stop-operation.tsx';
import { operationTones, operationWords } from '../../../lib/instance-view.ts';
import { Badge, type Tone } from '../../../ui/badge.tsx';
import { Button } from '../../../ui/button.tsx';
import { Card } from '../../../ui/card.tsx';
import { EmptyState } from '../../../ui/empty-state.tsx';
import { ActionsMenu } from '../../../ui/menu.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { TimeAgo } from '../../../ui/time.tsx';
import { useInstance } from '../context.ts';
import { CleanDialog, DownDialog, RemoveStackDialog } from './change-dialogs.tsx';
import { ContainersTable, type ContainerUse, logsEntry, type PortRoute, refreshStacks } from './containers-table.tsx';
import { StackEditDialog } from './edit-dialog.tsx';
import { RunOutput } from './run-output.tsx';

/** What runs inside changes without a hint: looked at again this often while the page is (milliseconds). */
const LOOK_MS = 10_000;
const LOOK_BUSY_MS = 2_000;

const tones: Record<Stack['state'], Tone> = { running: 'ok', partly: 'warn', stopped: 'idle', down: 'idle' };
const words: Record<Stack['state'], string> = {
  running: 'Running',
  partly: 'Partly running',
  stopped: 'Stopped',
  down: 'Down',
};
const verbWords: Record<StackVerb, string> = {
  up: 'Start',
  down: 'Take down',
  restart: 'Restart',
  pull: 'Pull images',
};

type Asked =
  | { what: 'new' | 'clean' }
  | { what: 'edit' | 'down' | 'remove'; stack: Stack }
  | { what: 'port'; port: number };

function DockerNotice({ state }: { state: DockerState }) {
  if (state === 'running') return null;
  if (state === 'asleep') {
    return (
      <Notice title="Docker sleeps" className="mb-4">
        It wakes by itself when a stack is started or when somebody uses it in the terminal. Stacks started by hand are
        listed once it runs.
      </Notice>
    );
  }
  return state === 'stopped' ? (
    <Notice tone="warn" title="Docker is switched off inside" className="mb-4">
      Start it in the terminal: <code>sudo systemctl start docker</code>. Its logs say why it stopped.
    </Notice>
  ) : (
    <Notice tone="warn" title="There is no Docker inside" className="mb-4">
      This server has none, or somebody removed it.
    </Notice>
  );
}

async function runStack(instance: string, stack: string, verb: Exclude<StackVerb, 'down'>): Promise<void> {
  try {
    await call('stacksRun', { params: { instance, stack, verb }, body: {} });
  } catch (thrown) {
    toast.error(toApiError(thrown).message);
  }
  refreshStacks();
}

export function StacksTab() {
  const instance = useInstance();
  const possible = instance.can.stacks;
  if (possible !== true) return <NotPossible instance={instance} title="No stacks to show" reason={possible} />;
  return <Stacks id={instance.id} name={instance.name} />;
}

function Stacks({ id, name }: { id: string; name: string }) {
  const query = useQuery({
    ...apiQuery('stacksList', { params: { instance: id } }),
    refetchInterval: ({ state }) =>
      state.data?.items.some(({ run }) => run !== null && !isFinished(run.state)) === true ? LOOK_BUSY_MS : LOOK_MS,
  });
  const containers = [...(query.data?.items.flatMap((stack) => stack.containers) ?? []), ...(query.data?.others ?? [])];
  const usage = useQuery({
    ...apiQuery('containersUsage', { params: { instance: id } }),
    enabled: containers.some(({ state }) => state === 'running'),
    refetchInterval: LOOK_MS,
  });
  const routes = useQuery(apiQuery('routesList', { params: { instance: id } }));
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const blocked = query.data === undefined || query.data.can.write === true ? undefined : query.data.can.write;
  const shared = {
    instance: id,
    usage: usage.data?.items,
    routes: (routes.data?.items ?? []).map(({ port, url }) => ({ port, url })),
    blocked,
    onOpenPort: (port: number) => setAsked({ what: 'port', port }),
  };
  return (
    <section aria-label={`Stacks of ${name}`}>
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <p className="min-w-0 flex-1 basis-60 text-sm text-soft">
          Docker Compose stacks inside {name}. New ones live in <code>{STACKS_FOLDER}</code>.
        </p>
        <div className="flex flex-wrap gap-2">
          <Button icon={<BrushCleaning />} blocked={blocked} onClick={() => setAsked({ what: 'clean' })}>
            Clean up
          </Button>
          <Button tone="primary" icon={<Plus />} blocked={blocked} onClick={() => setAsked({ what: 'new' })}>
            New stack
          </Button>
        </div>
      </div>
      <QueryView query={query}>
        {({ docker, items, others }) => (
          <>
            <DockerNotice state={docker} />
            {items.length === 0 ? (
              <div className="card">
                <EmptyState icon={<Layers />} title="No stacks yet">
                  A stack is a compose file and the containers it describes. Write one here, or start one in the
                  terminal with <code>docker compose up -d</code>.
                </EmptyState>
              </div>
            ) : (
              <ul className="flex flex-col gap-4">
                {items.map((stack) => (
                  <li key={stack.name}>
                    <StackCard stack={stack} shared={shared} onAsk={setAsked} />
                  </li>
                ))}
              </ul>
            )}
            {others.length === 0 ? null : (
              <Card title="Containers without a stack" flush className="mt-4">
                <ContainersTable {...shared} label="Containers without a stack" items={others} />
              </Card>
            )}
          </>
        )}
      </QueryView>
      {asked?.what === 'new' || asked?.what === 'edit' ? (
        <StackEditDialog
          instance={id}
          stack={asked.what === 'edit' ? asked.stack.name : undefined}
          blocked={blocked}
          onClose={close}
          onUp={(stack) => void runStack(id, stack, 'up')}
        />
      ) : null}
      {asked?.what === 'down' ? <DownDialog instance={id} stack={asked.stack} onClose={close} /> : null}
      {asked?.what === 'remove' ? <RemoveStackDialog instance={id} stack={asked.stack} onClose={close} /> : null}
      {asked?.what === 'clean' ? (
        <CleanDialog
          instance={id}
          name={name}
          onClose={() => {
            refreshStacks();
            close();
          }}
        />
      ) : null}
      {asked?.what === 'port' ? (
        <RouteForm
          instance={{ id, name }}
          port={asked.port}
          onClose={close}
          onDone={() => {
            void queryClient.invalidateQueries({ queryKey: ['routesList'] });
            void queryClient.invalidateQueries({ queryKey: ['routesListProject'] });
          }}
        />
      ) : null}
    </section>
  );
}

type Shared = {
  instance: string;
  usage: readonly ContainerUse[] | undefined;
  routes: readonly PortRoute[];
  blocked: string | undefined;
  onOpenPort: (port: number) => void;
};

function StackCard({ stack, shared, onAsk }: { stack: Stack; shared: Shared; onAsk: (asked: Asked) => void }) {
  const { instance, blocked } = shared;
  const running = stack.run !== null && !isFinished(stack.run.state);
  const why = blocked ?? (running ? `Wait for: ${verbWords[stack.run?.verb ?? 'up']}.` : undefined);
  const noFile = stack.file === null ? 'Nobody knows any more where its compose file is.' : undefined;
  const gone = stack.state === 'down' ? 'It is down.' : undefined;
  return (
    <Card
      flush
      title={
        <span className="flex flex-wrap items-center gap-x-2.5">
          <span className="truncate">{stack.name}</span>
          <Badge tone={tones[stack.state]} dot>
            {words[stack.state]}
          </Badge>
        </span>
      }
      actions={
        <span className="flex items-center gap-2">
          <Button
            size="sm"
            tone={stack.state === 'running' ? 'secondary' : 'primary'}
            icon={<Play />}
            blocked={why ?? noFile}
            onClick={() => void runStack(instance, stack.name, 'up')}
          >
            {stack.state === 'running' ? 'Update' : 'Start'}
          </Button>
          <Button
            size="sm"
            icon={<SquarePen />}
            blocked={noFile}
            aria-label={`Edit ${stack.name}`}
            onClick={() => onAsk({ what: 'edit', stack })}
          >
            <span className="max-sm:hidden">Edit</span>
          </Button>
          <ActionsMenu
            of={stack.name}
            entries={[
              logsEntry(`stack:${stack.name}`),
              {
                key: 'restart',
                label: 'Restart',
                icon: <RotateCw />,
                blocked: why ?? gone,
                onSelect: () => void runStack(instance, stack.name, 'restart'),
              },
              {
                key: 'pull',
                label: 'Pull images',
                icon: <ArrowDownToLine />,
                blocked: why ?? noFile,
                onSelect: () => void runStack(instance, stack.name, 'pull'),
              },
              { kind: 'separator', key: 'line' },
              {
                key: 'down',
                label: 'Take down…',
                icon: <Square />,
                danger: true,
                blocked: why ?? gone,
                onSelect: () => onAsk({ what: 'down', stack }),
              },
              {
                key: 'remove',
                label: 'Remove…',
                icon: <Trash2 />,
                danger: true,
                blocked:
                  why ??
                  (stack.managed ? undefined : 'It was started by hand: remove its file yourself.') ??
                  (stack.state === 'down' ? undefined : 'Take it down first.'),
                onSelect: () => onAsk({ what: 'remove', stack }),
              },
            ]}
          />
        </span>
      }
    >
      {stack.run === null ? null : <LastRun instance={instance} run={stack.run} blocked={blocked} />}
      {stack.containers.length === 0 ? (
        <p className="px-4 py-3 text-sm text-soft">It has no containers now.</p>
      ) : (
        <ContainersTable {...shared} label={`Containers of ${stack.name}`} items={stack.containers} />
      )}
      <p className="wrap-anywhere border-line border-t px-4 py-2 text-faint text-xs">
        {stack.file ?? 'Its compose file is not known any more.'}
        {stack.managed || stack.file === null ? '' : ' (started by hand)'}
      </p>
    </Card>
  );
}

/** The last command: open while it runs and when it did not come to its end, folded away otherwise. */
function LastRun({
  instance,
  run,
  blocked,
}: {
  instance: string;
  run: NonNullable<Stack['run']>;
  blocked: string | undefined;
}) {
  const running = !isFinished(run.state);
  const [chosen, setChosen] = useState<{ operation: string; open: boolean } | null>(null);
  const open =
    chosen?.operation === run.operation ? chosen.open : running || run.state === 'failed' || run.state === 'stopped';
  return (
    <div className="flex flex-col gap-2 border-line border-b px-4 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
        <span>{verbWords[run.verb]}</span>
        <Badge tone={operationTones[run.state]} dot moving={running}>
          {operationWords[run.state]}
        </Badge>
        <span className="text-faint text-xs">
          {run.actor}, <TimeAgo at={run.createdAt} />
          {run.state === 'stopped' && run.stop !== null ? `, stopped by ${run.stop.by}` : ''}
        </span>
        <span className="ml-auto flex items-center gap-2">
          <StopOperation
            operation={{ ...run, id: run.operation, stoppable: true }}
            title={verbWords[run.verb]}
            blocked={blocked}
            onAsked={refreshStacks}
          />
          <Button size="sm" aria-expanded={open} onClick={() => setChosen({ operation: run.operation, open: !open })}>
            {open ? 'Hide the output' : 'Show the output'}
          </Button>
        </span>
      </div>
      {run.error === null ? null : <Notice tone="bad" title={run.error} />}
      {open ? <RunOutput instance={instance} operation={run.operation} running={running} /> : null}
    </div>
  );
}
