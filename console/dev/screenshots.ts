/**
 * Pictures of every page in light, dark and phone width, and an accessibility check of each: `node console/dev/screenshots.ts`
 * against the mock (`BERTH_MOCK=1 vite console` has to run). Options: --url, --out DIR, --only part-of-a-name, --axe, --themes light,dark,phone.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:5173' },
    out: { type: 'string', default: '/tmp/berth-shots' },
    only: { type: 'string' },
    axe: { type: 'boolean', default: false },
    themes: { type: 'string', default: 'light,dark,phone' },
  },
});

type Shot = { name: string; path: string; scenario?: string; before?: (page: Page) => Promise<void>; waitMs?: number };

const p = '/p/main';
const shots: Shot[] = [
  { name: 'setup', path: '/setup?code=K7QM-2XRD', scenario: 'fresh' },
  { name: 'sign-in', path: '/sign-in', scenario: 'out' },
  { name: 'invitation', path: '/invitations/demo-invitation-secret-0001', scenario: 'out' },
  { name: 'forgot-password', path: '/forgot-password', scenario: 'out' },
  { name: 'reset-password', path: '/reset-password/demo-secret-of-a-link-0001', scenario: 'out' },
  { name: 'confirm-email', path: '/confirm-email/demo-secret-of-a-link-0001', scenario: 'out' },
  { name: 'register', path: '/register?code=M4WT-9RKP-2XQA-7BHN', scenario: 'out' },
  { name: 'registration', path: '/register/demo-secret-of-a-link-0001', scenario: 'out' },
  { name: 'tenancy-groups', path: '/o/harbour/groups', scenario: 'seed' },
  { name: 'tenancy-roles', path: '/o/harbour/roles' },
  { name: 'tenancy-settings', path: '/o/harbour/settings' },
  {
    name: 'tenancy-settings-delete',
    path: '/o/harbour/settings',
    before: async (page) => {
      await page
        .getByRole('button', { name: /^Actions of/ })
        .first()
        .click();
      await page.getByRole('menuitem', { name: 'Delete…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'tenancy-settings-create',
    path: '/o/harbour/settings',
    before: async (page) => {
      await page.getByRole('button', { name: 'Create a project' }).click();
      await page.getByRole('dialog').getByLabel('Title').fill('Dry dock');
    },
  },
  {
    name: 'files-chosen',
    path: `${p}/instances/atlas/files`,
    before: async (page) => {
      for (const name of ['site', 'readme.md'])
        await page.getByRole('checkbox', { name: new RegExp(` ${name}$`) }).click();
    },
  },
  {
    name: 'files-unpack',
    path: `${p}/instances/atlas/files`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of backup.tar.gz' }).click();
      await page.getByRole('menuitem', { name: 'Unpack…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'files-packing',
    path: `${p}/instances/atlas/files`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of site', exact: true }).click();
      await page.getByRole('menuitem', { name: 'Pack…' }).click();
      await page.getByRole('button', { name: 'Pack', exact: true }).click();
      await page.getByRole('button', { name: /^Stop: / }).waitFor();
    },
  },
  {
    name: 'stacks-running',
    path: `${p}/instances/beacon/stacks`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Update' }).first().click();
      await page.getByRole('button', { name: /^Stop: / }).waitFor();
    },
  },
  { name: 'data', path: '/platform/data?table=instance' },
  { name: 'metrics', path: `${p}/instances/atlas/metrics` },
  { name: 'metrics-day', path: `${p}/instances/atlas/metrics?range=24h` },
  {
    name: 'metrics-table',
    path: `${p}/instances/atlas/metrics`,
    before: async (page) => {
      await page.getByText('Table', { exact: true }).click();
      await page.getByRole('region', { name: 'Figures' }).waitFor();
    },
  },
  { name: 'tenancy-people', path: `${p}/people` },
  {
    name: 'tenancy-people-give',
    path: `${p}/people`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Give a role' }).click();
      await page.getByRole('dialog').getByLabel('Who').click();
    },
  },
  { name: 'tenancy-service-accounts', path: '/o/harbour/service-accounts' },
  {
    name: 'tenancy-service-account-new',
    path: '/o/harbour/service-accounts',
    before: async (page) => {
      await page.getByRole('button', { name: 'Create a service account' }).click();
    },
  },
  {
    name: 'tenancy-service-account-tokens',
    path: '/o/harbour/service-accounts',
    before: async (page) => {
      await page.getByRole('button', { name: 'tokens of deploy' }).click();
    },
  },
  {
    name: 'tenancy-service-account-token-made',
    path: '/o/harbour/service-accounts',
    before: async (page) => {
      await page.getByRole('button', { name: 'tokens of deploy' }).click();
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByLabel('Name').fill('nightly');
      await page.getByRole('button', { name: 'Create the token' }).click();
      await page.getByText('Copy it now').waitFor();
    },
  },
  {
    name: 'tenancy-service-account-delete',
    path: '/o/harbour/service-accounts',
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of deploy' }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
    },
  },
  { name: 'tenancy-apps', path: '/o/harbour/apps' },
  { name: 'tenancy-entries', path: '/o/harbour/entries' },
  {
    name: 'share',
    path: '/p/main/instances/atlas',
    scenario: 'seed',
    before: async (page) => {
      await page.getByRole('button', { name: 'Share', exact: true }).click();
      await page.getByRole('heading', { name: 'Given to' }).waitFor();
    },
  },
  {
    name: 'share-take',
    path: '/p/main/instances/atlas/settings',
    before: async (page) => {
      await page.getByRole('button', { name: 'Share', exact: true }).last().click();
      await page.getByRole('button', { name: 'Take it away from Autumn course' }).click();
    },
  },
  { name: 'platform-organizations', path: '/platform/organizations' },
  {
    name: 'platform-organizations-enter',
    path: '/platform/organizations',
    before: async (page) => {
      await page.getByRole('button', { name: 'Enter Quay Design' }).click();
      await page.getByRole('button', { name: 'Enter', exact: true }).click();
    },
  },
  { name: 'platform-keys', path: '/platform/keys' },
  {
    name: 'platform-keys-rotate',
    path: '/platform/keys',
    before: async (page) => {
      await page.getByRole('button', { name: 'Rotate…' }).click();
      await page.getByRole('switch').click();
    },
  },
  { name: 'entered', path: '/p/main', scenario: 'entered' },
  { name: 'entered-screen', path: '/p/main/instances/atlas/screen', waitMs: 1800 },
  { name: 'guest-apps', path: '/', scenario: 'guest', waitMs: 900 },
  { name: 'guest-app', path: '/p/main/instances/atlas', scenario: 'guest' },
  { name: 'guest-empty', path: '/', scenario: 'guest-empty' },
  { name: 'platform-users', path: '/platform/users', scenario: 'seed' },
  {
    name: 'platform-users-menu',
    path: '/platform/users',
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of Ada Brandt' }).click();
    },
  },
  { name: 'platform-registration', path: '/platform/registration' },
  {
    name: 'platform-registration-new',
    path: '/platform/registration',
    before: async (page) => {
      await page.getByRole('button', { name: 'New code' }).first().click();
    },
  },
  {
    name: 'hosts-registry-form',
    path: '/hosts',
    before: async (page) => {
      await page.getByRole('button', { name: 'Change', exact: true }).click();
    },
  },
  { name: 'platform-mail', path: '/platform/mail' },
  {
    name: 'platform-mail-form',
    path: '/platform/mail',
    before: async (page) => {
      await page.getByRole('button', { name: 'Change', exact: true }).click();
    },
  },
  {
    name: 'account-delete',
    path: '/account',
    before: async (page) => {
      await page.getByRole('button', { name: 'Delete my account…' }).click();
    },
  },
  { name: 'home-first', path: p, scenario: 'empty' },
  { name: 'instances-empty', path: `${p}/instances`, scenario: 'empty' },
  { name: 'home', path: p, scenario: 'seed' },
  { name: 'instances', path: `${p}/instances` },
  {
    name: 'instances-selected',
    path: `${p}/instances`,
    before: async (page) => {
      await page.getByRole('checkbox', { name: 'Select beacon' }).check();
      await page.getByRole('checkbox', { name: 'Select delta' }).check();
    },
  },
  {
    name: 'instances-menu',
    path: `${p}/instances`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of atlas' }).click();
    },
  },
  { name: 'instances-deleted', path: `${p}/instances?view=deleted` },
  { name: 'create', path: `${p}/instances/new?name=lagoon` },
  {
    name: 'create-taken',
    path: `${p}/instances/new?kind=server`,
    before: async (page) => {
      await page.getByRole('textbox', { name: 'Name' }).fill('atlas');
      await page.getByText('Custom', { exact: true }).click();
    },
  },
  { name: 'overview-desktop', path: `${p}/instances/atlas` },
  { name: 'overview-server', path: `${p}/instances/beacon` },
  { name: 'overview-unhealthy', path: `${p}/instances/fjord` },
  { name: 'overview-drifted', path: `${p}/instances/gannet` },
  { name: 'screen', path: `${p}/instances/atlas/screen`, waitMs: 1800 },
  {
    name: 'screen-clipboard',
    path: `${p}/instances/atlas/screen`,
    waitMs: 800,
    before: async (page) => {
      await page.getByRole('button', { name: 'Clipboard' }).click();
    },
  },
  {
    name: 'terminal',
    path: `${p}/instances/beacon/terminal`,
    waitMs: 900,
    before: async (page) => {
      await page.locator('[data-testid=terminal]').click();
      await page.keyboard.type('ls\ndocker ps\nuname -a\n');
    },
  },
  { name: 'terminal-stopped', path: `${p}/instances/delta/terminal` },
  { name: 'logs', path: `${p}/instances/beacon/logs`, waitMs: 1200 },
  { name: 'files', path: `${p}/instances/atlas/files` },
  {
    name: 'files-edit',
    path: `${p}/instances/atlas/files`,
    before: async (page) => {
      await page.getByText('compose.yaml').dblclick();
      await page.getByRole('dialog').getByText('services').waitFor();
    },
  },
  { name: 'stacks', path: `${p}/instances/beacon/stacks` },
  {
    name: 'stacks-new',
    path: `${p}/instances/beacon/stacks`,
    before: async (page) => {
      await page.getByRole('button', { name: 'New stack' }).click();
      await page.getByRole('dialog').getByText('services').waitFor();
    },
  },
  {
    name: 'stacks-clean',
    path: `${p}/instances/beacon/stacks`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Clean up' }).click();
      await page.getByRole('dialog').getByText('Build cache').waitFor();
    },
  },
  {
    name: 'stacks-down',
    path: `${p}/instances/beacon/stacks`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of status', exact: true }).click();
      await page.getByRole('menuitem', { name: 'Take down…' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'files-upload',
    path: `${p}/instances/atlas/files`,
    before: async (page) => {
      await page.getByText('compose.yaml').waitFor();
      await page.getByLabel('Files to upload').setInputFiles([
        { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') },
        { name: 'deploy.sh', mimeType: 'text/plain', buffer: Buffer.from('hello') },
        { name: 'fail-disk.bin', mimeType: 'text/plain', buffer: Buffer.from('hello') },
      ]);
      await page.getByText('The disk of the instance is full.').waitFor();
    },
  },
  { name: 'ssh', path: `${p}/instances/beacon/ssh` },
  {
    name: 'ssh-more',
    path: `${p}/instances/beacon/ssh`,
    before: async (page) => {
      await page.getByText('Files, forwarded ports').click();
    },
  },
  {
    name: 'ssh-recording',
    path: `${p}/instances/beacon/ssh`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Replay' }).first().click();
      await page.getByText('deploy finished').first().waitFor();
    },
  },
  { name: 'ssh-changed', path: `${p}/instances/gannet/ssh` },
  { name: 'snapshots', path: `${p}/instances/atlas/snapshots` },
  { name: 'snapshots-empty', path: `${p}/instances/beacon/snapshots` },
  {
    name: 'rollback',
    path: `${p}/instances/atlas/snapshots`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Roll back', exact: true }).first().click();
    },
  },
  { name: 'backups', path: `${p}/instances/atlas/backups` },
  { name: 'backups-empty', path: `${p}/instances/beacon/backups` },
  { name: 'project-backups', path: `${p}/backups` },
  {
    name: 'backup-form',
    path: `${p}/instances/beacon/backups`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Back up' }).first().click();
    },
  },
  {
    name: 'restore-in-place',
    path: `${p}/instances/atlas/backups`,
    before: async (page) => {
      await page
        .getByRole('button', { name: /^Actions of the backup/ })
        .first()
        .click();
      await page.getByText('Restore in place…').click();
    },
  },
  { name: 'instance-routes', path: `${p}/instances/beacon/routes` },
  {
    name: 'route-form',
    path: `${p}/instances/beacon/routes`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Add a route' }).click();
      await page.getByText('Everybody', { exact: true }).last().click();
    },
  },
  {
    name: 'forward-form',
    path: `${p}/instances/beacon/routes`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Forward a port' }).click();
    },
  },
  { name: 'instance-activity', path: `${p}/instances/fjord/activity` },
  { name: 'settings', path: `${p}/instances/cove/settings` },
  {
    name: 'resize',
    path: `${p}/instances/cove/settings`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Resize' }).click();
    },
  },
  {
    name: 'move',
    path: `${p}/instances/cove/settings`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Move to another project' }).click();
      await page.getByRole('combobox', { name: 'To' }).click();
      await page.getByRole('option', { name: /Teaching/ }).click();
    },
  },
  { name: 'routes', path: `${p}/routes` },
  { name: 'firewall', path: `${p}/firewall` },
  {
    name: 'firewall-group',
    path: `${p}/firewall`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Change web' }).click();
    },
  },
  { name: 'domains', path: `${p}/domains` },
  { name: 'dns-providers', path: '/o/harbour/dns' },
  {
    name: 'dns-providers-new',
    path: '/o/harbour/dns',
    before: async (page) => {
      await page.getByRole('button', { name: 'Connect a provider' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'dns-providers-remove',
    path: '/o/harbour/dns',
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of Cloudflare' }).click();
      await page.getByRole('menuitem', { name: 'Disconnect' }).click();
    },
  },
  { name: 'platform-dns', path: '/platform/dns' },
  { name: 'operations', path: `${p}/operations` },
  {
    name: 'operation-failed',
    path: `${p}/operations?state=failed`,
    before: async (page) => {
      await page.getByRole('link', { name: 'Restart fjord' }).click();
    },
  },
  { name: 'quotas', path: '/o/harbour/quotas' },
  {
    name: 'quota-form',
    path: '/o/harbour/quotas',
    before: async (page) => {
      await page.getByRole('button', { name: 'Set limits of Main' }).click();
      await page.getByRole('textbox', { name: 'Instances' }).fill('1');
    },
  },
  { name: 'limits', path: '/platform/limits' },
  { name: 'images', path: '/images', waitMs: 900 },
  {
    name: 'image-import',
    path: '/images',
    before: async (page) => {
      await page.getByRole('button', { name: 'Import an image' }).click();
    },
  },
  { name: 'hosts', path: '/hosts' },
  { name: 'identity-providers', path: '/identity-providers' },
  {
    name: 'identity-providers-new',
    path: '/identity-providers',
    before: async (page) => {
      await page.getByRole('button', { name: 'New identity provider' }).click();
      await page.getByRole('button', { name: 'Add a role' }).click();
    },
  },
  {
    name: 'identity-providers-remove',
    path: '/identity-providers',
    before: async (page) => {
      await page.getByRole('button', { name: 'Actions of Example Inc.' }).click();
      await page.getByRole('menuitem', { name: 'Remove' }).click();
    },
  },
  { name: 'oidc-clients', path: '/oidc-clients' },
  {
    name: 'oidc-clients-new',
    path: '/oidc-clients',
    before: async (page) => {
      await page.getByRole('button', { name: 'New app' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('Survey');
      await page.getByRole('textbox', { name: 'Redirect addresses' }).fill('https://survey.example.com/callback');
      await page.getByRole('button', { name: 'Register it' }).click();
    },
  },
  { name: 'app-question', path: '/app-sign-in/a-question-of-an-app' },
  { name: 'members', path: '/o/harbour/members' },
  {
    name: 'invite',
    path: '/o/harbour/members',
    before: async (page) => {
      await page.getByRole('button', { name: 'Invite somebody' }).click();
      await page.getByRole('textbox', { name: 'E-mail' }).fill('nils@harbour.example');
      await page.getByRole('button', { name: 'Make the link' }).click();
      await page.getByText('shown this once').waitFor();
    },
  },
  { name: 'audit', path: '/o/harbour/audit' },
  {
    name: 'audit-entry',
    path: '/o/harbour/audit',
    before: async (page) => {
      await page.getByRole('button', { name: 'instance.resize' }).click();
    },
  },
  {
    name: 'audit-retention',
    path: '/o/harbour/audit?result=refused&from=2026-01-01',
    before: async (page) => {
      await page.getByText('Signed and verified up to').click();
      await page.getByRole('combobox', { name: 'How long entries are kept' }).click();
      await page.getByRole('option', { name: '30 days' }).click();
      await page.getByRole('button', { name: 'Remove older entries' }).waitFor();
    },
  },
  { name: 'audit-platform', path: '/platform/audit' },
  {
    name: 'audit-platform-choose',
    path: '/platform/audit',
    before: async (page) => {
      await page.getByRole('combobox', { name: 'Which log' }).click();
      await page.getByRole('option', { name: /old-harbour/ }).waitFor();
    },
  },
  {
    name: 'audit-platform-deleted',
    path: '/platform/audit?deleted=org_01ja0c9r8e2m4k6t8v0x2z4b6d',
    before: async (page) => {
      await page.getByText('Signed and verified up to').click();
    },
  },
  { name: 'account', path: '/account' },
  { name: 'security-none', path: '/account/security', scenario: 'seed' },
  {
    name: 'security-totp',
    path: '/account/security',
    before: async (page) => {
      await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
      await page.getByRole('img', { name: 'QR code of the key' }).waitFor();
    },
  },
  {
    name: 'security-codes',
    path: '/account/security',
    before: async (page) => {
      await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
      await page.getByLabel('Code', { exact: true }).fill('123456');
      await page.getByRole('button', { name: 'Turn it on' }).click();
      await page.getByText('they are shown this once').waitFor();
    },
  },
  { name: 'security-strict', path: '/p/main', scenario: 'strict' },
  { name: 'security-factors', path: '/account/security', scenario: 'factors' },
  {
    name: 'security-remove',
    path: '/account/security',
    before: async (page) => {
      await page.getByRole('button', { name: 'Remove Blue security key' }).click();
    },
  },
  { name: 'organization-sign-in', path: '/o/harbour/sign-in' },
  {
    name: 'organization-sign-in-ask',
    path: '/o/harbour/sign-in',
    before: async (page) => {
      await page.getByRole('switch').click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'members-reset',
    path: '/o/harbour/members',
    before: async (page) => {
      await page
        .getByRole('button', { name: /Actions of/ })
        .nth(1)
        .click();
    },
  },
  {
    name: 'step-up',
    path: '/account/security',
    scenario: 'unconfirmed',
    before: async (page) => {
      await page.getByRole('button', { name: 'Make new ones' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Make new ones' }).click();
      await page.getByRole('dialog', { name: 'Is it you?' }).waitFor();
    },
  },
  {
    name: 'sign-in-factor',
    path: '/sign-in',
    scenario: 'factors-out',
    before: async (page) => {
      await page.getByLabel('E-mail').fill('mara@harbour.example');
      await page.getByLabel('Password').fill('some password');
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('heading', { name: 'One more step' }).waitFor();
    },
  },
  { name: 'account-sessions', scenario: 'seed', path: '/account/sessions' },
  { name: 'account-ssh-keys', path: '/account/ssh-keys' },
  {
    name: 'account-ssh-keys-add',
    path: '/account/ssh-keys',
    before: async (page) => {
      await page.getByRole('button', { name: 'Add a key' }).click();
    },
  },
  { name: 'account-tokens', path: '/account/tokens' },
  {
    name: 'token-scopes',
    path: '/account/tokens',
    before: async (page) => {
      await page.getByRole('button', { name: 'New token' }).first().click();
      await page.getByText('Chosen actions').click();
      await page.getByRole('checkbox', { name: 'Everything: Instances', exact: true }).check();
      await page.getByText('Organization and projects').click();
      await page.getByRole('checkbox', { name: 'quota.read', exact: true }).check();
    },
  },
  { name: 'device-code', path: '/device' },
  { name: 'device-here', path: '/device?code=BCDF-GHJK' },
  { name: 'device-elsewhere', path: '/device?code=BCDF-GHJL' },
  { name: 'device-unknown', path: '/device?code=BCDF-GHJM' },
  {
    name: 'token-new',
    path: '/account/tokens',
    before: async (page) => {
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('ci');
      await page.getByRole('button', { name: 'Create the token' }).click();
      await page.getByText('Copy it now').waitFor();
    },
  },
  { name: 'account-appearance', path: '/account/appearance' },
  {
    name: 'palette',
    path: `${p}/instances/atlas`,
    before: async (page) => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox').waitFor();
    },
  },
  {
    name: 'palette-search',
    path: `${p}/instances`,
    before: async (page) => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox').fill('10.64');
    },
  },
  {
    name: 'shortcuts',
    path: `${p}/instances`,
    before: async (page) => {
      await page.keyboard.press('?');
    },
  },
  { name: 'not-found', path: '/p/nowhere' },
  {
    name: 'creating',
    path: `${p}/instances/new?name=lagoon`,
    before: async (page) => {
      await page.getByRole('button', { name: 'Create desktop' }).click();
      await page.getByText('Make the guest').first().waitFor();
      await page.waitForTimeout(900);
    },
  },
  {
    name: 'drawer',
    path: `${p}/instances`,
    before: async (page) => {
      const menu = page.getByRole('button', { name: 'Menu' });
      if (await menu.isVisible()) await menu.click();
    },
  },
];

mkdirSync(options.out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
let findings = 0;
for (const theme of options.themes.split(',')) {
  const phone = theme === 'phone';
  const context = await browser.newContext({
    viewport: phone ? { width: 390, height: 844 } : { width: 1360, height: 850 },
    colorScheme: theme === 'dark' ? 'dark' : 'light',
    reducedMotion: 'reduce',
    ignoreHTTPSErrors: true,
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.log(`PAGE ERROR ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/thumbnail|status of 4\d\d/.test(message.text() + message.location().url))
      console.log(`CONSOLE ${message.text().slice(0, 300)}`);
  });
  // Every theme starts from the same state, whatever the one before created.
  await page.goto(`${options.url}/sign-in?mock=seed`);
  let scenario = 'seed';
  for (const shot of shots) {
    if (shot.scenario !== undefined) scenario = shot.scenario;
    if (options.only !== undefined && !options.only.split(',').some((each) => shot.name.includes(each))) continue;
    try {
      const mark = shot.path.includes('?') ? '&' : '?';
      await page.goto(
        `${options.url}${shot.path}${shot.scenario !== undefined || options.only !== undefined ? `${mark}mock=${scenario}` : ''}`,
        { waitUntil: 'load' },
      );
      await page.waitForSelector('main h1, main h2', { timeout: 5000 });
      await page.waitForTimeout(350);
      await shot.before?.(page);
      await page.waitForTimeout(shot.waitMs ?? 350);
    } catch (error) {
      console.log(`${theme} ${shot.name}: ${String(error).split('\n')[0]}`);
    }
    await page.screenshot({ path: `${options.out}/${shot.name}.${theme}.png` });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (overflow > 0) console.log(`${theme} ${shot.name}: the page is ${overflow} px wider than the window`);
    if (options.axe) {
      const result = await new AxeBuilder({ page })
        .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
        .exclude('.xterm')
        .analyze();
      for (const violation of result.violations) {
        findings++;
        console.log(`${theme} ${shot.name}: [${violation.impact}] ${violation.id}: ${violation.help}`);
        for (const node of violation.nodes.slice(0, 3))
          console.log(
            `    ${node.target.join(' ')}  ${node.html.slice(0, 160)}  ${(node.any[0]?.message ?? node.all[0]?.message ?? '').slice(0, 160)}`,
          );
      }
    }
  }
  await context.close();
}
await browser.close();
if (options.axe) console.log(`${findings} accessibility findings`);
