import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import { RATE_LIMIT_MAX, type RateLimitName } from '#domain/rate-limits.ts';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { OrganizationQuotaForm } from '../../components/organization-quota-form.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { formatDuration, plural } from '../../lib/format.ts';
import { useDebounced } from '../../lib/use-debounced.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

type RateItem = OutputOf<'rateLimitsGet'>['items'][number];

const count = z
  .string()
  .trim()
  .regex(/^[1-9]\d{0,7}$/, `A whole number from 1 to ${RATE_LIMIT_MAX.toLocaleString('en')}.`);

function RateLimits({ items }: { items: RateItem[] }) {
  const initial = Object.fromEntries(items.map((item) => [item.name, String(item.limit)])) as Record<
    RateLimitName,
    string
  >;
  const shape = z.object(
    Object.fromEntries(items.map((item) => [item.name, count])) as Record<RateLimitName, typeof count>,
  );
  const form = useApiForm(shape, initial);
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async (typed) => {
        const changed = items.filter((item) => typed[item.name] !== initial[item.name]);
        const body = Object.fromEntries(
          // Back to what the installation started with is no change to keep.
          changed.map((item) => [
            item.name,
            Number(typed[item.name]) === item.initial ? null : Number(typed[item.name]),
          ]),
        );
        const answer = await call('rateLimitsUpdate', { body });
        queryClient.setQueryData(apiQuery('rateLimitsGet', {}).queryKey, answer);
        toast.success('The limits are in force, on every replica within seconds');
      })}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        {items.map((item) => (
          <Field
            key={item.name}
            label={`${item.title}, in ${formatDuration(item.windowSeconds * 1000)}`}
            error={form.formState.errors[item.name]?.message}
            hint={item.limit === item.initial ? undefined : `Initially ${item.initial.toLocaleString('en')}`}
          >
            {(aria) => <Input {...aria} inputMode="numeric" autoComplete="off" {...form.register(item.name)} />}
          </Field>
        ))}
      </div>
      <FormError error={form.failure} />
      <div>
        <Button type="submit" tone="primary" busy={form.formState.isSubmitting}>
          Set limits
        </Button>
      </div>
    </form>
  );
}

function Outbound({ allowed }: { allowed: string[] }) {
  const form = useApiForm(z.object({ allowed: z.string().max(30_000) }), { allowed: allowed.join('\n') });
  const lines = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim().replace(/\/$/, ''))
      .filter((line) => line !== '');
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async (typed) => {
        const answer = await call('outboundUpdate', { body: { allowed: lines(typed.allowed) } });
        queryClient.setQueryData(apiQuery('outboundGet', {}).queryKey, answer);
        toast.success('The list is in force');
      })}
    >
      <Field
        label="Allowed all the same"
        optional
        hint="One per line, such as https://idp.corp.example:8443. Metadata services of clouds stay out of reach."
        error={form.formState.errors.allowed?.message}
      >
        {(aria) => <Textarea {...aria} spellCheck={false} className="mono" {...form.register('allowed')} />}
      </Field>
      <FormError error={form.failure} />
      <div>
        <Button type="submit" tone="primary" busy={form.formState.isSubmitting}>
          Set the list
        </Button>
      </div>
    </form>
  );
}

function ControlAccess({ networks, countries, address, country, database }: OutputOf<'controlAccessGet'>) {
  const fields = z.object({ networks: z.string().max(10_000), countries: z.string().max(2_000), evenMe: z.boolean() });
  const form = useApiForm(fields, {
    networks: networks.join('\n'),
    countries: countries.join(' '),
    evenMe: false,
  });
  const lines = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async (typed) => {
        const named = typed.countries.split(/[\s,]+/).filter((each) => each !== '');
        const body = { networks: lines(typed.networks), countries: named, evenMe: typed.evenMe };
        const answer = await call('controlAccessUpdate', { body });
        queryClient.setQueryData(apiQuery('controlAccessGet', {}).queryKey, answer);
        form.setValue('evenMe', false);
        const isOpen = answer.networks.length === 0 && answer.countries.length === 0;
        toast.success(isOpen ? 'Open to all networks' : 'The list is in force');
      })}
    >
      <Field
        label="Only from these networks"
        optional
        hint={`One per line, such as 192.0.2.0/24; empty for all. You are at ${address ?? 'this machine'}.`}
        error={form.formState.errors.networks?.message}
      >
        {(aria) => <Textarea {...aria} spellCheck={false} className="mono" {...form.register('networks')} />}
      </Field>
      <Field
        label="And from these countries"
        optional
        hint={
          database.state === 'ready'
            ? `Two letters each, such as DE FR. ${country === null ? 'Your own is not known.' : `You are in ${country}.`}`
            : `Needs a database on the machine. ${database.problem ?? ''}`
        }
        error={form.formState.errors.countries?.message}
      >
        {(aria) => <Input {...aria} spellCheck={false} className="mono" {...form.register('countries')} />}
      </Field>
      <label className="flex items-start gap-2 text-sm">
        <input type="checkbox" className="mt-0.5" {...form.register('evenMe')} />
        <span>
          Even if it locks me out. Then only the machine itself can open it again, with{' '}
          <code className="mono">berth control-access open</code>.
        </span>
      </label>
      <FormError error={form.failure} />
      <div>
        <Button type="submit" tone="primary" busy={form.formState.isSubmitting}>
          Set the networks
        </Button>
      </div>
    </form>
  );
}

const ORGANIZATIONS_SHOWN_MAX = 50;

/** Every organization, whether one belongs to it or not: only its limits, nothing of what is in it. */
function Organizations() {
  const [search, setSearch] = useState('');
  const wanted = useDebounced(search.trim(), 200);
  const query = useQuery(
    apiQuery('organizationsList', {
      query: { limit: ORGANIZATIONS_SHOWN_MAX, ...(wanted === '' ? {} : { search: wanted }) },
    }),
  );
  const [editing, setEditing] = useState<{ id: string; title: string } | null>(null);
  return (
    <div className="flex flex-col gap-3">
      <Input
        type="search"
        aria-label="Find an organization"
        placeholder="Find an organization"
        value={search}
        maxLength={100}
        onChange={(event) => setSearch(event.target.value)}
      />
      <QueryView query={query} rows={2}>
        {({ items }) => (
          <ul className="divide-y divide-line">
            {items.map((each) => (
              <li key={each.id} className="flex items-center gap-3 py-2 text-sm">
                <span className="min-w-0 flex-1 truncate">{each.title}</span>
                <span className="text-faint text-xs">{plural(each.instances, 'instance')}</span>
                <Button size="sm" aria-label={`Set limits of ${each.title}`} onClick={() => setEditing(each)}>
                  Set limits
                </Button>
              </li>
            ))}
            {items.length === 0 ? <li className="py-2 text-sm text-soft">No organization is called that.</li> : null}
          </ul>
        )}
      </QueryView>
      {editing === null ? null : (
        <OrganizationQuotaForm key={editing.id} organization={editing} onClose={() => setEditing(null)} />
      )}
    </div>
  );
}

/** How often somebody may call this installation, what organizations may use, and whom Berth calls itself. */
export function LimitsPage() {
  const rates = useQuery(apiQuery('rateLimitsGet', {}));
  const outbound = useQuery(apiQuery('outboundGet', {}));
  const control = useQuery(apiQuery('controlAccessGet', {}));
  return (
    <>
      <PageHeader title="Limits" />
      <div className="flex max-w-3xl flex-col gap-5">
        <Card title="How often somebody may call">
          <p className="mb-4 text-sm text-soft">
            Per account, and more widely per address, because a school or an office has many people behind one.
            Strangers who guess a password never lock its owner out where they have signed in before.
          </p>
          <QueryView query={rates} rows={5}>
            {(data) => <RateLimits items={data.items} />}
          </QueryView>
        </Card>
        <Card title="What organizations may use">
          <Organizations />
        </Card>
        <Card title="Who may reach console and API">
          <p className="mb-4 text-sm text-soft">
            Holds for the console, the API, screens and terminals within seconds. Addresses of instances are not
            concerned: those have rules of their own, under Routes.
          </p>
          <QueryView query={control} rows={2}>
            {(data) => <ControlAccess {...data} />}
          </QueryView>
        </Card>
        <Card title="Addresses this server calls">
          <p className="mb-4 text-sm text-soft">
            Where people give a web address (identity providers, for example), only public ones with https:// on the
            usual port are called, so that nobody looks into your network through Berth.
          </p>
          <QueryView query={outbound} rows={2}>
            {(data) => <Outbound allowed={data.allowed} />}
          </QueryView>
        </Card>
      </div>
    </>
  );
}
