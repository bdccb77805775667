/** Who may open one desktop or server: what is granted on it, and who opens it by their role anyway. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { DoorOpen, UsersRound, X } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Instance } from '#contract/instances.ts';
import type { GrantPermission } from '#domain/authz.ts';
import { call, type OutputOf, toApiError } from '../api/client.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { Avatar } from '../components/avatar.tsx';
import { QueryView } from '../components/query-view.tsx';
import { ShowAs, shellWord } from '../components/show-as.tsx';
import { SubjectSearch } from '../components/subject-search.tsx';
import { plural } from '../lib/format.ts';
import { roleWords } from '../lib/roles.ts';
import { useDebounced } from '../lib/use-debounced.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { Select } from '../ui/select.tsx';
import { TimeAgo } from '../ui/time.tsx';

type Access = OutputOf<'instanceAccessGet'>;
type Grant = Access['grants'][number];
type Candidate = OutputOf<'instanceAccessCandidates'>['items'][number];
/** Between the last key and the question. */
const SEARCH_MS = 200;
type Level = 'open' | 'both' | 'all' | 'terminal' | 'ssh' | 'openSsh' | 'terminalSsh';

/** Every choice there is: a grant that was made elsewhere shows as what it is. */
const levels: Record<Level, { permissions: GrantPermission[]; label: string; hint: string }> = {
  open: { permissions: ['open'], label: 'Opens it', hint: 'Screen and private addresses' },
  both: { permissions: ['open', 'terminal'], label: 'Opens it, terminal', hint: 'And a terminal in it' },
  all: { permissions: ['open', 'terminal', 'ssh'], label: 'Opens it, terminal, SSH', hint: 'And SSH from outside' },
  terminal: { permissions: ['terminal'], label: 'Terminal only', hint: 'No screen, no private addresses' },
  ssh: { permissions: ['ssh'], label: 'SSH only', hint: 'Shell, files and forwarded ports' },
  openSsh: { permissions: ['open', 'ssh'], label: 'Opens it, SSH', hint: 'No terminal in the browser' },
  terminalSsh: { permissions: ['terminal', 'ssh'], label: 'Terminal, SSH', hint: 'No private addresses' },
};
const levelOptions = (Object.keys(levels) as Level[]).map((value) => ({ value, ...levels[value] }));

function levelOf(permissions: readonly GrantPermission[]): Level {
  const same = (level: Level) =>
    levels[level].permissions.length === permissions.length &&
    levels[level].permissions.every((permission) => permissions.includes(permission));
  return (Object.keys(levels) as Level[]).find(same) ?? 'open';
}

export function ShareDialog({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const query = useQuery(apiQuery('instanceAccessGet', { params: { instance: instance.id } }));
  const [taking, setTaking] = useState<Grant | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);

  async function set(subject: string, permissions: GrantPermission[], done: string): Promise<void> {
    const access = await call('instanceAccessSet', {
      params: { instance: instance.id, subject: subject as never },
      body: { permissions },
    });
    queryClient.setQueryData(['instanceAccessGet', { params: { instance: instance.id } }], access);
    toast.success(done);
  }
  /** The same without a question before; true when it was done. */
  async function setNow(...change: Parameters<typeof set>): Promise<boolean> {
    setBusy(true);
    setError(undefined);
    try {
      await set(...change);
      return true;
    } catch (thrown) {
      setError(toApiError(thrown).message);
      return false;
    } finally {
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={`Share ${instance.name}`}
      description="Who is given it here opens it and sees nothing else of the project."
      footer={<Button onClick={onClose}>Done</Button>}
    >
      <QueryView query={query} rows={4}>
        {(access) => (
          <div className="flex flex-col gap-5">
            <Give
              instance={instance}
              access={access}
              busy={busy}
              onGive={(subject, name, level) => setNow(subject, levels[level].permissions, `${name} may open it now`)}
            />
            {error === undefined ? null : <Notice tone="bad">{error}</Notice>}
            <section aria-labelledby="share-given">
              <h3 id="share-given" className="mb-1.5 font-medium text-sm">
                Given to
              </h3>
              {access.grants.length === 0 ? (
                <p className="text-soft text-sm">Nobody in particular.</p>
              ) : (
                <ul className="divide-y divide-line rounded-md border border-line">
                  {access.grants.map((grant) => (
                    <GrantRow
                      key={grant.id}
                      grant={grant}
                      can={access.can.share}
                      onLevel={(level) =>
                        void setNow(grant.subject, levels[level].permissions, `Changed for ${grant.name}`)
                      }
                      onTake={() => setTaking(grant)}
                    />
                  ))}
                </ul>
              )}
            </section>
            <ByRole access={access} />
          </div>
        )}
      </QueryView>
      {taking === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setTaking(null)}
          onConfirm={() => set(taking.subject, [], `Taken away from ${taking.name}`)}
          title={`Take ${instance.name} away from ${taking.name}?`}
          body={
            taking.kind === 'group'
              ? 'Everybody in the group loses it at once, and their open screens and terminals close. What roles and other groups give them stays.'
              : 'Their open screens and terminals of it close at once. What roles and groups give them stays.'
          }
          confirmLabel="Take away"
        />
      )}
    </Dialog>
  );
}

function Give({
  instance,
  access,
  busy,
  onGive,
}: {
  instance: Instance;
  access: Access;
  busy: boolean;
  onGive: (subject: string, name: string, level: Level) => Promise<boolean>;
}) {
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<Candidate | null>(null);
  const [level, setLevel] = useState<Level>('open');
  const wanted = useDebounced(search.trim(), SEARCH_MS);
  const query = useQuery({
    ...apiQuery('instanceAccessCandidates', {
      params: { instance: instance.id },
      query: wanted === '' ? {} : { search: wanted },
    }),
    enabled: access.can.share === true,
    placeholderData: keepPreviousData,
  });
  const given = new Set<string>(access.grants.map((each) => each.subject));
  const found = (query.data?.items ?? []).filter((each) => !given.has(each.subject));
  const candidates =
    chosen === null || found.some((each) => each.subject === chosen.subject) ? found : [chosen, ...found];
  const blocked =
    access.can.share !== true ? access.can.share : chosen === null ? 'Choose a person or a group first.' : undefined;
  const permissions = levels[level].permissions;
  return (
    <div className="flex flex-col gap-3">
      <SubjectSearch
        label="Find a person or a group"
        value={search}
        onChange={setSearch}
        more={query.data?.more === true}
      />
      <div className="flex flex-wrap items-center gap-2">
        <Select
          className="min-w-0 !w-auto flex-1 basis-52"
          label="Person or group"
          value={chosen?.subject ?? ''}
          onChange={(next) => setChosen(candidates.find((each) => each.subject === next) ?? null)}
          options={[
            { value: '', label: 'Person or group…' },
            ...candidates.map(({ subject, name, email, members }) => ({
              value: subject as string,
              label: name,
              hint: email ?? `Group of ${plural(members ?? 0, 'person', 'people')}`,
            })),
          ]}
        />
        <Select
          className="!w-auto flex-1 basis-40"
          label="What they may do"
          value={level}
          onChange={setLevel}
          options={levelOptions}
        />
        <Button
          tone="primary"
          busy={busy}
          blocked={blocked}
          onClick={() => {
            if (chosen === null) return;
            void onGive(chosen.subject, chosen.name, level).then((done) => done && setChosen(null));
          }}
        >
          Share
        </Button>
      </div>
      {chosen === null ? null : (
        <ShowAs
          cli={`berth grants add ${shellWord(chosen.email ?? chosen.name)} ${instance.name} --may ${permissions.join(',')}`}
          planned={{
            name: 'instanceAccessSet',
            input: { params: { instance: instance.id, subject: chosen.subject }, body: { permissions } },
          }}
        />
      )}
    </div>
  );
}

function GrantRow({
  grant,
  can,
  onLevel,
  onTake,
}: {
  grant: Grant;
  can: true | string;
  onLevel: (level: Level) => void;
  onTake: () => void;
}) {
  const level = levelOf(grant.permissions);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 px-3 py-2">
      {grant.kind === 'group' ? (
        <span className="flex size-7 items-center justify-center rounded-full bg-sunken text-faint">
          <UsersRound className="size-4" aria-hidden="true" />
        </span>
      ) : (
        <Avatar name={grant.name} src={null} className="!size-7" />
      )}
      <div className="min-w-0 flex-1 basis-40 text-sm">
        <p className="truncate font-medium">{grant.name}</p>
        <p className="truncate text-faint text-xs">
          {grant.email ?? 'Group'} · by {grant.grantedBy}
        </p>
      </div>
      {can === true ? (
        <>
          <Select
            className="!w-44"
            label={`What ${grant.name} may do`}
            value={level}
            onChange={onLevel}
            options={levelOptions}
          />
          <IconButton label={`Take it away from ${grant.name}`} size="sm" onClick={onTake}>
            <X />
          </IconButton>
        </>
      ) : (
        <span className="text-soft text-sm">{levels[level].label}</span>
      )}
    </li>
  );
}

/** Not given here, and not to be taken away here. */
function ByRole({ access }: { access: Access }) {
  return (
    <section aria-labelledby="share-by-role">
      <h3 id="share-by-role" className="mb-1.5 font-medium text-sm">
        Open it by their role
      </h3>
      <ul className="divide-y divide-line rounded-md border border-line text-sm">
        {access.roles.map((held) => (
          <li key={`${held.role} ${held.place}`} className="px-3 py-2">
            <p>
              <span className="font-medium">
                Everybody who is {roleWords[held.role].title.toLowerCase()}{' '}
                {held.place === 'organization' ? 'of the organization' : 'in this project'}
              </span>{' '}
              <span className="text-faint">
                (
                {[
                  ...(held.people > 0 || held.services === 0 ? [plural(held.people, 'person', 'people')] : []),
                  ...(held.services > 0 ? [plural(held.services, 'service account')] : []),
                ].join(', ')}
                )
              </span>
            </p>
            <p className="break-words text-soft text-xs">
              {held.shown.map((each) => each.name).join(', ')}
              {held.people > held.shown.length ? ` and ${held.people - held.shown.length} more` : ''}
            </p>
          </li>
        ))}
        {access.entries.map((entry) => (
          <li key={entry.email} className="flex items-start gap-2 px-3 py-2">
            <DoorOpen className="mt-0.5 size-4 shrink-0 text-warn" aria-hidden="true" />
            <p className="min-w-0 break-words">
              <span className="font-medium">{entry.name}</span>, administrator of the installation: inside until{' '}
              <TimeAgo at={entry.expiresAt} />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
