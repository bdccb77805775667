import { Check } from 'lucide-react';
import { type Role, roles } from '#domain/authz.ts';
import { type ActionRow, actionGroups, roleWords } from '../../lib/roles.ts';
import { useScope } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/card.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

/** Which role may do what, straight from the rules that the server decides by. */
export function RolesPage() {
  const own = useScope().membership?.role;
  return (
    <>
      <PageHeader
        title="Roles"
        description="What each role may do. People hold a role in the organization, in single projects, or through a group; the highest counts."
      />
      <div className="flex flex-col gap-5">
        <Card title="The roles">
          <dl className="grid gap-x-8 gap-y-3 text-sm sm:grid-cols-2">
            {roles.map((role) => (
              <div key={role}>
                <dt className="flex items-center gap-2 font-medium">
                  {roleWords[role].title}
                  {role === own ? <Badge tone="accent">Yours</Badge> : null}
                </dt>
                <dd className="text-soft">{roleWords[role].hint}</dd>
              </div>
            ))}
          </dl>
        </Card>
        {actionGroups.map(({ noun, title, rows }) => (
          <Card key={noun} title={title} flush>
            <WideTable title={title} rows={rows} own={own} />
            <ul className="divide-y divide-line md:hidden">
              {rows.map((row) => (
                <li key={row.action} className="px-4 py-2.5 text-sm">
                  <p className="font-medium">{row.words}</p>
                  <p className="text-soft">{row.roles.map((role) => roleWords[role].title).join(', ')}</p>
                </li>
              ))}
            </ul>
          </Card>
        ))}
      </div>
    </>
  );
}

function WideTable({ title, rows, own }: { title: string; rows: readonly ActionRow[]; own: Role | undefined }) {
  return (
    <table className="hidden w-full table-fixed text-sm md:table">
      <caption className="sr-only">{title}: which role may do what</caption>
      <thead>
        <tr className="border-line border-b text-soft text-xs">
          <th scope="col" className="px-4 py-2 text-left font-medium">
            Action
          </th>
          {roles.map((role) => (
            <th
              key={role}
              scope="col"
              className={`w-24 py-2 text-center font-medium ${role === own ? 'text-text' : ''}`}
            >
              {roleWords[role].title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {rows.map((row) => (
          <tr key={row.action}>
            <th scope="row" className="px-4 py-2 text-left font-normal">
              {row.words}
            </th>
            {roles.map((role) => (
              <td key={role} className="py-2 text-center">
                {row.roles.includes(role) ? (
                  <Check className="mx-auto size-4 text-ok" role="img" aria-label="Yes" />
                ) : (
                  <span className="text-faint">
                    <span aria-hidden="true">–</span>
                    <span className="sr-only">No</span>
                  </span>
                )}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
