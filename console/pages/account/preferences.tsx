import { ImagePlus, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import { languages } from '#domain/profiles.ts';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { Avatar } from '../../components/avatar.tsx';
import { FormError } from '../../components/error-text.tsx';
import { formatMoment } from '../../lib/format.ts';
import { squarePicture } from '../../lib/picture.ts';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';

export type Account = OutputOf<'accountGet'>;

type Language = keyof typeof languages;
const languageOptions = Object.entries(languages).map(([value, label]) => ({ value: value as Language, label }));

export function accountChanged(): Promise<unknown> {
  return Promise.all(['accountGet', 'whoami'].map((name) => queryClient.invalidateQueries({ queryKey: [name] })));
}

/** Name, picture, and how dates are written. */
export function PreferencesCard({ account }: { account: Account }) {
  const { memberships } = useSession();
  const { user, preferences } = account;
  const form = useApiForm(
    z.object({
      name: z.string().trim().min(1, 'Tell us your name.').max(80),
      language: z.enum(Object.keys(languages) as [Language, ...Language[]]),
      timeZone: z.string().trim().max(64),
    }),
    { name: user.name, language: preferences.language as Language, timeZone: preferences.timeZone ?? '' },
  );
  const { errors, isSubmitting } = form.formState;
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Card title="Profile">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ name, language, timeZone }) => {
          await call('accountUpdate', { body: { name, language, timeZone: timeZone === '' ? null : timeZone } });
          await accountChanged();
          toast.success('Saved');
        })}
      >
        <Picture account={account} />
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Name" error={errors.name?.message}>
            {(aria) => <Input {...aria} autoComplete="name" {...form.register('name')} />}
          </Field>
          <Field label="Dates and numbers" hint="How they are written here and in mails; the words stay English.">
            {(aria) => (
              <Select<Language>
                {...aria}
                value={form.watch('language')}
                onChange={(language) => form.setValue('language', language)}
                options={languageOptions}
              />
            )}
          </Field>
          <Field
            label="Time zone"
            optional
            error={errors.timeZone?.message}
            hint={`Empty: that of the browser, ${here}. Now: ${formatMoment(Date.now())}`}
          >
            {(aria) => (
              <>
                <Input
                  {...aria}
                  list="time-zones"
                  autoComplete="off"
                  spellCheck={false}
                  placeholder={here}
                  {...form.register('timeZone')}
                />
                <datalist id="time-zones">
                  {Intl.supportedValuesOf('timeZone').map((zone) => (
                    <option key={zone} value={zone} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
        </div>
        <div className="flex flex-wrap items-center gap-2 text-sm text-soft">
          {memberships.map((each) => (
            <span key={each.organization.id} className="inline-flex items-center gap-1.5">
              {each.organization.title} <Badge>{roleWords[each.role].title}</Badge>
            </span>
          ))}
          {user.platformAdmin ? <Badge tone="accent">Installation administrator</Badge> : null}
        </div>
        <FormError error={form.failure} />
        <Button type="submit" className="w-fit" busy={isSubmitting}>
          Save
        </Button>
      </form>
    </Card>
  );
}

function Picture({ account: { user, preferences } }: { account: Account }) {
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  async function change(work: () => Promise<unknown>) {
    setBusy(true);
    try {
      await work();
      await accountChanged();
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    setBusy(false);
  }
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Avatar name={user.name} src={preferences.avatar} className="!size-14 !text-base" />
      <input
        ref={input}
        type="file"
        accept="image/png,image/jpeg,image/webp"
        className="sr-only"
        tabIndex={-1}
        aria-label="Picture file"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = '';
          if (file !== undefined)
            void change(async () => call('avatarUpdate', { body: { image: await squarePicture(file) } }));
        }}
      />
      <Button size="sm" icon={<ImagePlus />} busy={busy} onClick={() => input.current?.click()}>
        {preferences.avatar === null ? 'Choose a picture' : 'Change the picture'}
      </Button>
      {preferences.avatar === null ? null : (
        <Button size="sm" tone="ghost" icon={<Trash2 />} onClick={() => void change(() => call('avatarDelete', {}))}>
          Remove
        </Button>
      )}
    </div>
  );
}
