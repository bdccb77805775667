/** invitations: bringing people into the organization. */
import { type Command, Option } from 'commander';
import { type Role, roles } from '#domain/authz.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

export function addInvitationCommands(program: Command, io: Io): void {
  const invitations = program
    .command('invitations')
    .alias('invitation')
    .description('Bring people into the organization');
  invitations
    .command('list')
    .alias('ls')
    .description('List open invitations')
    .action(
      run(io, async (berth) => {
        const organization = await berth.organization();
        const page = await (await berth.client()).call('invitationsList', {
          params: { organization: organization.id },
        });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'E-mail', value: (row) => row.email },
              { title: 'Role', value: (row) => row.role },
              { title: 'Invited by', value: (row) => row.invitedBy },
              { title: 'Ends', value: (row) => formatRelative(row.expiresAt, berth.io.now()) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No open invitations.' },
          ),
        );
      }),
    );
  invitations
    .command('send <email>')
    .description('Invite somebody by e-mail; without a mail server it prints the link, once')
    .addOption(new Option('-r, --role <role>', 'what they may do').choices([...roles]).default('member'))
    .addHelpText('after', examples(['berth invitations send grace@example.com --role operator']))
    .action(
      run<{ role: Role }>(io, async (berth, [email = ''], options) => {
        const organization = await berth.organization();
        const invitation = await (await berth.client()).call('invitationsCreate', {
          params: { organization: organization.id },
          body: { email, role: options.role },
        });
        const end = formatRelative(invitation.expiresAt, berth.io.now());
        berth.print(invitation, () =>
          invitation.link === null
            ? `An invitation is on its way to ${plain(invitation.email)}; it ends ${end}.\n`
            : `Send this link to ${plain(invitation.email)} (it is shown this once and ends ${end}):\n${invitation.link}\n`,
        );
      }),
    );
  invitations
    .command('revoke <invitation>')
    .description('Withdraw an invitation (e-mail or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const organization = await berth.organization();
        const client = await berth.client();
        const { items } = await client.call('invitationsList', { params: { organization: organization.id } });
        const found = items.find((item) => item.id === ref || item.email === ref.toLowerCase());
        if (found === undefined)
          throw usageError(`There is no open invitation for "${ref}".`, 'See: berth invitations list');
        await client.call('invitationsRevoke', { params: { organization: organization.id, invitation: found.id } });
        berth.print({ revoked: found.id }, () => `The invitation of ${plain(found.email)} is withdrawn.\n`);
      }),
    );
}
