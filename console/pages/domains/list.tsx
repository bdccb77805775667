import { useQuery } from '@tanstack/react-query';
import { Globe2, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { type Domain, domainRoutes } from '#contract/domains.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { WildcardControl } from '../../components/wildcard-control.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useMay, useProject } from '../../shell/session.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { KeptRecords } from './kept-records.tsx';
import { refreshDomains as refresh } from './refresh.ts';

const words: Record<Domain['state'], { label: string; tone: Tone }> = {
  pending: { label: 'not proven yet', tone: 'warn' },
  verified: { label: 'proven', tone: 'ok' },
  lost: { label: 'proof is gone', tone: 'bad' },
};

function AddDomain({ project, onClose }: { project: string; onClose: () => void }) {
  const form = useApiForm(domainRoutes.domainsCreate.body, { name: '' });
  const { errors } = form.formState;
  return (
    <FormPanel
      onClose={onClose}
      title="Add a domain"
      description="A name that you can write DNS records for. It covers every name below it."
      label="Add"
      form={form}
      onSubmit={form.submit(async (values) => {
        await call('domainsCreate', { params: { project }, body: values });
        await refresh();
        onClose();
      })}
    >
      <Field label="Domain" hint="Such as example.com or shop.example.com" error={errors.name?.message}>
        {(aria) => (
          <Input
            {...aria}
            autoFocus
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            {...form.register('name')}
          />
        )}
      </Field>
    </FormPanel>
  );
}

/** What to write into DNS, until it is there. */
function Records({ domain }: { domain: Domain }) {
  return (
    <div className="flex flex-col gap-2 px-4 py-3">
      <p className="text-sm text-soft">Set this record where the DNS of {domain.name} is kept:</p>
      <dl className="grid grid-cols-[4rem_minmax(0,1fr)] items-center gap-x-3 gap-y-1 rounded-md border border-line bg-sunken px-3 py-2 text-sm">
        <dt className="text-faint">Type</dt>
        <dd className="mono">TXT</dd>
        <dt className="text-faint">Name</dt>
        <dd className="min-w-0">
          <Copyable text={domain.challenge.name} />
        </dd>
        <dt className="text-faint">Value</dt>
        <dd className="min-w-0">
          <Copyable text={domain.challenge.value} />
        </dd>
      </dl>
      <p className="text-faint text-xs">
        An alias (CNAME) of {domain.name} to an address of this project proves it as well. Berth looks every minute.
      </p>
    </div>
  );
}

function DomainCard({ domain, onDelete }: { domain: Domain; onDelete: () => void }) {
  const [busy, setBusy] = useState(false);
  const { label, tone } = words[domain.state];
  const leadsHere =
    domain.pointsHere === false ? (
      <span>
        no: let it, or the names you use, be an alias (CNAME) of{' '}
        <Copyable text={domain.target} className="align-middle" />
      </span>
    ) : domain.pointsHere ? (
      'yes'
    ) : (
      'unknown'
    );
  async function check() {
    setBusy(true);
    try {
      const found = await call('domainsCheck', { params: { domain: domain.id } });
      if (found.state === 'verified' && found.failingSince === null) toast.success(`${domain.name} is proven`);
      else toast.message(found.reason ?? 'Nothing has changed.');
      await refresh();
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    } finally {
      setBusy(false);
    }
  }
  return (
    <Card>
      <div className="flex flex-wrap items-center justify-between gap-2 border-line border-b px-4 py-3">
        <h2 className="flex min-w-0 flex-wrap items-center gap-2 font-medium">
          <span className="wrap-anywhere">{domain.name}</span>
          <Badge tone={tone}>{label}</Badge>
        </h2>
        <div className="flex gap-2">
          <Button
            size="sm"
            icon={<RefreshCw />}
            busy={busy}
            blocked={whyNot(domain.can.check)}
            onClick={() => void check()}
          >
            Check now
          </Button>
          <Button size="sm" tone="ghost" icon={<Trash2 />} blocked={whyNot(domain.can.delete)} onClick={onDelete}>
            Remove…
          </Button>
        </div>
      </div>
      {domain.reason === null ? null : (
        <div className="px-4 pt-3">
          <Notice tone={domain.state === 'lost' ? 'bad' : 'warn'} title={domain.reason}>
            {domain.state === 'verified'
              ? 'Routes go on for a few days; then they stop until the record is back.'
              : domain.state === 'lost'
                ? `${domain.routes} routes on it have stopped. They are back once it is proven again.`
                : undefined}
          </Notice>
        </div>
      )}
      {domain.dns !== null ? (
        <KeptRecords domain={domain} dns={domain.dns} />
      ) : domain.state === 'verified' && domain.failingSince === null ? null : (
        <Records domain={domain} />
      )}
      <Properties
        items={[
          ['Leads here', leadsHere],
          ['Routes', String(domain.routes)],
          [
            'Wildcard certificate',
            <WildcardControl
              key="wildcard"
              name={domain.name}
              wildcard={domain.wildcard}
              able={domain.can.wildcard}
              onWant={async (wanted) => {
                await call('domainsUpdate', { params: { domain: domain.id }, body: { wildcard: wanted } });
                await refresh();
              }}
            />,
          ],
          ['Looked at', domain.checkedAt === null ? undefined : <TimeAgo key="at" at={domain.checkedAt} />],
          ['Claim ends', domain.expiresAt === null ? undefined : <TimeAgo key="end" at={domain.expiresAt} />],
        ]}
      />
    </Card>
  );
}

export function DomainsPage() {
  const project = useProject();
  const mayCreate = useMay('domain.create');
  const query = useQuery(apiQuery('domainsList', { params: { project: project.id } }));
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Domain | null>(null);
  const add = (
    <Button
      tone="primary"
      icon={<Plus />}
      blocked={mayCreate ? undefined : 'Your role does not allow this.'}
      onClick={() => setAdding(true)}
    >
      Add a domain
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Domains"
        description="Names of your own. Once DNS proves that one is yours, routes may use it and every name below it."
        actions={query.data?.items.length === 0 ? undefined : add}
      />
      <QueryView query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<Globe2 />} title="No domains yet" action={add}>
              Addresses under the installation’s own domain need none.
            </EmptyState>
          ) : (
            <div className="flex flex-col gap-4">
              {items.map((domain) => (
                <DomainCard key={domain.id} domain={domain} onDelete={() => setRemoving(domain)} />
              ))}
            </div>
          )
        }
      </QueryView>
      {adding ? <AddDomain project={project.id} onClose={() => setAdding(false)} /> : null}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={async () => {
            await call('domainsDelete', { params: { domain: removing.id } });
            await refresh();
          }}
          title={`Remove ${removing.name}?`}
          body="This project gives the name up: others may claim it then, and you would have to prove it again."
          confirmLabel="Remove"
        />
      )}
    </>
  );
}
