/**
 * For every endpoint of the contract: a valid call, with fresh resources of its own, made by `caller`. The
 * authorization matrix, the bad-input corpus and the audit test walk this table; an endpoint without a row does not
 * compile.
 */
import { createHash } from 'node:crypto';
import type { RouteName } from '#contract/api.ts';
import type { UserId } from '#domain/ids.ts';
import {
  addAvatar,
  addEmailChange,
  addMail,
  addPasswordReset,
  addRegistration,
  addRegistrationCode,
  addRegistry,
  PIXEL_PNG,
} from './account-rows.ts';
import { dnsProviderBody, makeDnsProvider } from './dns-rows.ts';
import {
  addPasskeyRow,
  addRecoveryCode,
  addSignIn,
  addTotpRow,
  passkeyAnswer,
  passkeyRegistration,
} from './factor-rows.ts';
import {
  makeBackup,
  makeHost,
  makeImage,
  makeInstance,
  makeOperation,
  newId,
  newName,
  otherProject,
} from './factories.ts';
import { makeOidcClient } from './oidc-rows.ts';
import { makeIdentity, makeProvider } from './outside-rows.ts';
import {
  addDeviceLogin,
  addressSet,
  backup,
  domain,
  form,
  forward,
  group,
  groupMember,
  guest,
  image,
  instance,
  makeEmptyOrganization,
  makeEmptyProject,
  makeEntry,
  makeInvitation,
  makeUser,
  member,
  organization,
  plain,
  project,
  projectRole,
  type Row,
  route,
  securityGroup,
  serviceAccount,
  snapshot,
  withArchive,
  withGuest,
} from './row-makers.ts';
import { PASSWORD, SETUP_CODE } from './server.ts';
import { addServiceToken } from './service-rows.ts';
import { addSshKeyRow, addSshRecording, addSshSessionRow, makePublicKey } from './ssh-rows.ts';
import { stackRows } from './stack-rows.ts';

export const routeRows: Record<RouteName, Row> = {
  setupState: plain,
  setup: async () => ({
    body: { code: SETUP_CODE, email: 'late@example.test', name: 'Too Late', password: PASSWORD },
  }),
  signIn: async () => ({ body: { email: 'owner@example.test', password: PASSWORD } }),
  whoami: plain,
  signOut: plain,
  accountGet: plain,
  accountUpdate: async () => ({ body: { name: 'New Name' } }),
  avatarUpdate: async () => ({ body: { image: PIXEL_PNG } }),
  avatarDelete: plain,
  avatarGet: async ({ db, place, caller }) => {
    const user = caller ?? place.person;
    await addAvatar(db, user);
    return { params: { user } };
  },
  emailChangeCreate: async () => ({ body: { email: `${newName('new')}@example.test` } }),
  emailChangeDelete: async ({ db, place, caller }) => {
    await addEmailChange(db, caller ?? place.person);
    return {};
  },
  emailChangeConfirm: async ({ db, place, caller }) => ({
    body: { token: await addEmailChange(db, caller ?? place.person) },
  }),
  passwordForgotten: async ({ db }) => ({ body: { email: (await makeUser(db)).email } }),
  passwordReset: async ({ db }) => ({
    body: { token: await addPasswordReset(db, (await makeUser(db)).id), password: `${PASSWORD} and more` },
  }),
  deletionGet: plain,
  // Not the caller's address: their account stays.
  accountDelete: async () => ({ body: { email: 'nobody@example.test' } }),
  sshKeysList: plain,
  sshKeysAdd: async () => ({ body: { publicKey: makePublicKey() } }),
  sshKeysRemove: async ({ db, place, caller }) => ({ params: { key: await addSshKeyRow(db, caller ?? place.person) } }),
  registrationState: plain,
  registrationCreate: async ({ db, place }) => ({
    body: { email: `${newName('newcomer')}@example.test`, code: (await addRegistrationCode(db, place.person)).code },
  }),
  registrationRead: async ({ db }) => ({ params: { secret: await addRegistration(db) } }),
  registrationComplete: async ({ db }) => ({
    params: { secret: await addRegistration(db) },
    body: { name: 'A Newcomer', password: PASSWORD },
  }),
  registrationSettingsGet: plain,
  registrationSettingsUpdate: async () => ({ body: { open: false } }),
  registrationCodesList: plain,
  registrationCodesCreate: async () => ({ body: { note: 'A class', usesMax: 3 } }),
  registrationCodesRevoke: async ({ db, place }) => ({
    params: { code: (await addRegistrationCode(db, place.person)).id },
  }),
  usersList: plain,
  usersUpdate: async ({ db }) => ({ params: { user: (await makeUser(db)).id }, body: { disabled: true } }),
  usersSignOut: async ({ db }) => ({ params: { user: (await makeUser(db)).id } }),
  usersDeletion: async ({ db }) => ({ params: { user: (await makeUser(db)).id } }),
  usersDelete: async ({ db }) => ({ params: { user: (await makeUser(db)).id }, body: {} }),
  mailSettingsGet: plain,
  // A password over a plain connection: allowed in, and refused by its own rule, so that nothing is sent anywhere.
  mailSettingsUpdate: async () => ({
    body: {
      host: 'mail.example.test',
      port: 25,
      security: 'plain',
      username: 'berth',
      password: 'a mail password',
      fromAddress: 'berth@example.test',
      fromName: 'Berth',
    },
  }),
  mailSettingsDelete: plain,
  mailTest: async () => ({ body: { to: 'somebody@example.test' } }),
  mailMessagesList: plain,
  mailMessagesRetry: async ({ db }) => ({ params: { message: await addMail(db) } }),
  mailMessagesDrop: async ({ db }) => ({ params: { message: await addMail(db) } }),
  // What a row made by hand holds cannot be opened; that is after the door, and it is wiped for a plain refusal.
  mailMessagesLink: async ({ db }) => {
    const message = await addMail(db);
    await db.updateTable('mail').set({ content_sealed: null }).where('id', '=', message).execute();
    return { params: { message } };
  },
  accountPassword: async () => ({ body: { current: PASSWORD, password: `${PASSWORD} and more` } }),
  signInFactor: async ({ db, place, caller }) => {
    const user = caller ?? place.person;
    const code = await addRecoveryCode(db, user);
    return { headers: await addSignIn(db, user), body: { type: 'recovery', code } };
  },
  signInPasskeyOptions: async () => ({ body: { for: 'sign-in' } }),
  signInPasskey: async ({ db }) => ({ headers: await addSignIn(db, null), body: { passkey: passkeyAnswer() } }),
  securityGet: plain,
  confirm: async () => ({ body: { type: 'password', password: PASSWORD } }),
  confirmPasskeyOptions: plain,
  totpBegin: plain,
  totpConfirm: async () => ({ body: { code: '000000' } }),
  totpRemove: async ({ db, place, caller }) => {
    await addTotpRow(db, caller ?? place.person);
    return {};
  },
  recoveryCodesCreate: async ({ db, place, caller }) => {
    await addPasskeyRow(db, caller ?? place.person);
    return {};
  },
  passkeyOptions: plain,
  passkeysCreate: async () => ({ body: { name: 'My Key', passkey: passkeyRegistration() } }),
  passkeysUpdate: async ({ db, place, caller }) => ({
    params: { passkey: await addPasskeyRow(db, caller ?? place.person) },
    body: { name: 'Renamed' },
  }),
  passkeysDelete: async ({ db, place, caller }) => ({
    params: { passkey: await addPasskeyRow(db, caller ?? place.person) },
  }),
  organizationSignInGet: organization,
  organizationSignInUpdate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { secondFactorRequired: false },
  }),
  memberFactorsReset: member(),
  factorsReset: async (world) => ({ params: { user: (await member()(world)).params?.user ?? '' } }),
  signInProviders: plain,
  signInOutside: async ({ db }) => ({ body: { provider: (await makeProvider(db)).name, return: '/account' } }),
  signInOutsideFinish: async ({ db }) => ({
    body: { provider: (await makeProvider(db)).name, query: 'code=a&state=b' },
  }),
  identitiesList: plain,
  identitiesLink: async ({ db }) => ({ body: { provider: (await makeProvider(db)).name } }),
  identitiesUnlink: async ({ db, place, caller }) => ({
    params: { identity: await makeIdentity(db, caller ?? place.person) },
  }),
  identityProvidersList: plain,
  identityProvidersCreate: async ({ place }) => ({
    body: {
      name: newName('provider'),
      kind: 'keycloak',
      title: 'Our Keycloak',
      issuer: 'https://id.example.test/realms/main',
      clientId: 'berth',
      clientSecret: 'a secret',
      scopes: ['openid', 'email'],
      enabled: true,
      provisioning: 'domains',
      domains: ['example.test'],
      groupsClaim: 'groups',
      roleMappings: [{ value: 'staff', organization: place.organization, role: 'viewer' }],
      recheckMinutes: 10,
    },
  }),
  identityProvidersUpdate: async ({ db }) => ({
    params: { provider: (await makeProvider(db)).id },
    body: { title: 'Renamed', groupsClaim: null },
  }),
  identityProvidersDelete: async ({ db }) => ({ params: { provider: (await makeProvider(db)).id } }),
  identityProvidersTest: async ({ db }) => ({ params: { provider: (await makeProvider(db)).id } }),
  oidcClientsList: plain,
  oidcClientsCreate: async ({ place }) => ({
    body: {
      title: 'An App',
      redirectUris: ['https://app.example.test/callback'],
      authMethod: 'client_secret_post',
      firstParty: false,
      organization: place.organization,
      app: null,
    },
  }),
  oidcClientsUpdate: async ({ db }) => ({
    params: { client: await makeOidcClient(db) },
    body: { title: 'Renamed', redirectUris: ['https://app.example.test/other'], organization: null },
  }),
  oidcClientsSecret: async ({ db }) => ({ params: { client: await makeOidcClient(db) } }),
  oidcClientsDelete: async ({ db }) => ({ params: { client: await makeOidcClient(db) } }),
  oidcQuestionGet: async () => ({ params: { interaction: 'a-question-of-long-ago' } }),
  oidcQuestionAnswer: async () => ({ params: { interaction: 'a-question-of-long-ago' }, body: { allow: true } }),
  identityProvidersLogout: async ({ db }) => ({
    params: { name: (await makeProvider(db)).name },
    body: { logout_token: 'not one' },
  }),
  sessionsList: plain,
  sessionsRevokeOthers: plain,
  sessionsRevoke: async ({ db, place, caller }) => {
    const id = newId('ses');
    await db
      .insertInto('session')
      .values({
        id,
        user_id: caller ?? place.person,
        token_hash: createHash('sha256').update(id).digest(),
        expires_at: new Date(Date.now() + 3_600_000),
        address: '192.0.2.1',
        user_agent: 'test',
      })
      .execute();
    return { params: { session: id } };
  },
  tokensList: plain,
  tokensCreate: async () => ({ body: { name: 'a token' } }),
  tokensRevoke: async ({ db, place, caller }) => {
    const id = newId('tok');
    await db
      .insertInto('api_token')
      .values({
        id,
        user_id: caller ?? place.person,
        name: 'a token',
        prefix: 'brt_aaaa',
        token_hash: createHash('sha256').update(id).digest(),
      })
      .execute();
    return { params: { token: id } };
  },
  membersList: organization,
  membersUpdate: member({ role: 'member' }),
  membersRemove: member(),
  invitationsList: organization,
  invitationsCreate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { email: `${newName('guest')}@example.test`, role: 'viewer' },
  }),
  invitationsRevoke: async (world) => ({
    params: { organization: world.place.organization, invitation: (await makeInvitation(world)).id },
  }),
  invitationRead: async (world) => ({ params: { secret: (await makeInvitation(world)).secret } }),
  invitationAccept: async (world) => ({
    params: { secret: (await makeInvitation(world)).secret },
    body: { name: 'A Guest', password: PASSWORD },
  }),
  organizationsGet: organization,
  organizationsUpdate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { title: 'New Title' },
  }),
  organizationsCreate: async () => ({ body: { name: newName('org'), title: 'Another' } }),
  organizationsList: plain,
  organizationsDelete: async (world) => ({ params: { organization: await makeEmptyOrganization(world) } }),
  groupsList: organization,
  groupsCreate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { name: newName('group'), title: 'A group', role: null },
  }),
  groupsUpdate: group({ title: 'Another title' }),
  groupsDelete: group(),
  groupMembersList: group(),
  groupMembersAdd: groupMember,
  groupMembersRemove: groupMember,
  projectRolesList: project,
  projectRolesSet: projectRole({ role: 'member' }),
  projectRolesRemove: projectRole(),
  ownApps: plain,
  appsList: organization,
  grantsList: organization,
  grantsChange: async (world) => {
    const app = await makeInstance(world.db, world.place);
    const subject = (await member()(world)).params?.user;
    return {
      params: { organization: world.place.organization },
      body: { changes: [{ app, subject, permissions: ['open'] }] },
    };
  },
  instanceAccessGet: instance(),
  instanceAccessCandidates: instance(),
  instanceAccessSet: async (world) => {
    const subject = (await member()(world)).params?.user ?? '';
    const app = await makeInstance(world.db, world.place);
    return { params: { instance: app, subject }, body: { permissions: ['open'] } };
  },
  serviceAccountsList: organization,
  serviceAccountsCreate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { name: newName('robot'), description: 'Deploys', role: 'viewer' },
  }),
  serviceAccountsUpdate: serviceAccount({ description: 'Deploys on Fridays' }),
  serviceAccountsDelete: serviceAccount(),
  serviceTokensList: serviceAccount(),
  serviceTokensCreate: serviceAccount({ name: 'a token' }),
  serviceTokensRevoke: async (world) => {
    const row = await serviceAccount()(world);
    const { token } = await addServiceToken(world.db, row.params?.account as UserId);
    return { params: { ...row.params, token } };
  },
  entriesList: organization,
  entriesCreate: async (world) => ({
    params: { organization: await makeEmptyOrganization(world) },
    body: { reason: 'somebody asked for help', minutes: 5 },
  }),
  entriesEnd: async (world) => ({
    params: { organization: world.place.organization, entry: await makeEntry({ ...world, caller: null }) },
  }),
  ownEntriesEnd: async (world) => ({ params: { entry: await makeEntry(world) } }),
  projectsUpdate: async (world) => ({ params: { project: await makeEmptyProject(world) }, body: { title: 'New' } }),
  projectsDelete: async (world) => ({ params: { project: await makeEmptyProject(world) } }),
  projectsList: organization,
  projectsCreate: async ({ place }) => ({
    params: { organization: place.organization },
    body: { name: newName('project'), title: 'Another' },
  }),
  projectsGet: project,
  quotaGet: project,
  quotaUpdate: async ({ place }) => ({ params: { project: place.project }, body: { instances: 1000 } }),
  organizationQuotaGet: organization,
  rateLimitsGet: plain,
  rateLimitsUpdate: async () => ({ body: { provisioning: 999_999 } }),
  registryGet: plain,
  registryUpdate: async () => ({ body: { enabled: true, upstream: 'https://registry.example.test' } }),
  registryEmpty: async ({ db }) => {
    await addRegistry(db);
    return {};
  },
  controlAccessGet: plain,
  controlAccessUpdate: async () => ({ body: { networks: ['0.0.0.0/0', '::/0'] } }),
  outboundGet: plain,
  outboundUpdate: async () => ({ body: { allowed: ['https://idp.corp.example:8443'] } }),
  platformQuotaGet: organization,
  platformQuotaUpdate: async ({ place }) => ({ params: { organization: place.organization }, body: { routes: 9000 } }),
  instancesList: project,
  instancesCreate: async ({ db, place }) => {
    const name = newName('image');
    await makeImage(db, { name });
    return { params: { project: place.project }, body: { kind: 'server', name: newName('server'), image: name } };
  },
  instanceNamesCheck: async ({ place }) => ({ params: { project: place.project, name: 'free' } }),
  instancesGet: instance(),
  instancesUpdate: instance({ description: 'New words' }),
  instancesRename: async (world) => instance({ name: newName('renamed') })(world),
  instancesResize: instance({ size: 'medium' }),
  instancesPower: async ({ db, place }) => ({
    params: { instance: await makeInstance(db, place, { observed: 'stopped' }), action: 'start' },
    body: { force: false },
  }),
  instancesClone: async (world) => instance({ name: newName('clone') })(world),
  instancesTransfer: async ({ db, place }) => ({
    params: { instance: await makeInstance(db, place) },
    body: { project: await otherProject(db, place.organization) },
  }),
  instancesArchive: instance(),
  instancesRestore: instance(undefined, 'archived'),
  instancesPurge: async ({ db, place }) => {
    const name = newName('gone');
    return {
      params: { instance: await makeInstance(db, place, { phase: 'archived', name }) },
      body: { confirmName: name },
    };
  },
  instancesLogs: guest,
  instancesContainers: guest,
  instanceMetrics: guest,
  projectMetrics: project,
  projectPrometheus: project,
  snapshotsList: instance(),
  snapshotsCreate: instance({ name: 'before the change' }),
  snapshotsRollback: snapshot,
  snapshotsDelete: snapshot,
  sshAccess: instance(),
  sshHostKeysAccept: async (world) => ({ ...(await guest(world)), body: {} }),
  sshSessionsList: instance(),
  sshSessionsEnd: async ({ db, place, caller }) => {
    const id = await makeInstance(db, place);
    return { params: { instance: id, session: await addSshSessionRow(db, place, id, caller ?? place.person) } };
  },
  sshRecordingSet: instance({ enabled: true }),
  sshRecordingsList: instance(),
  sshRecordingsRead: async (world) => addSshRecording(world),
  sshRecordingsDelete: async (world) => addSshRecording(world),
  sshRecordingPolicyGet: organization,
  sshRecordingPolicySet: async (world) => ({ ...(await organization(world)), body: { enabled: true, days: 30 } }),
  routesListProject: project,
  routesList: instance(),
  routesCreate: async (world) => instance({ hostname: `${newName('site')}.berth.localhost`, port: 8080 })(world),
  routesUpdate: route({ port: 9090 }),
  routesCheck: route(),
  routesDelete: route(),
  filesList: withGuest({ query: { path: '/home/berth' } }),
  filesRead: withGuest({ query: { path: '/home/berth/readme.txt' } }),
  filesArchive: withGuest({ query: { folder: '/home', names: 'berth' } }),
  filesPack: withGuest({ body: { folder: '/home/berth', names: ['readme.txt'], to: '/home/berth/all.tar.gz' } }),
  filesUnpack: withArchive,
  filesWrite: withGuest({
    query: { path: '/home/berth/new', upload: 'abcdefgh', last: 'true' },
    body: Buffer.from('hello'),
  }),
  filesMakeFolder: withGuest({ body: { path: '/home/berth/folder' } }),
  filesMove: withGuest({ body: { from: '/home/berth/readme.txt', to: '/home/berth/moved.txt' } }),
  filesSetMode: withGuest({ body: { path: '/home/berth/readme.txt', mode: 0o600 } }),
  filesRemove: withGuest({ query: { path: '/home/berth/readme.txt' } }),
  ...stackRows,
  securityGroupsList: project,
  securityGroupsCreate: async ({ place }) => ({
    params: { project: place.project },
    body: { name: newName('group'), rules: [{ action: 'allow', direction: 'in', protocol: 'tcp', ports: '443' }] },
  }),
  securityGroupsUpdate: securityGroup({ description: 'For the web' }),
  securityGroupsDelete: securityGroup(),
  egressGet: project,
  egressUpdate: async ({ place }) => ({
    params: { project: place.project },
    body: { default: 'allow', rules: [], connectionsMax: 1000, bytesPerSecondMax: null },
  }),
  addressSetsList: project,
  addressSetsPut: async ({ place }) => ({
    params: { project: place.project, name: newName('set') },
    body: { ranges: ['203.0.113.0/24'] },
  }),
  addressSetsDelete: addressSet,
  flowsList: project,
  flowsTop: project,
  flowsExport: project,
  domainsList: project,
  domainsCreate: async (world) => ({ ...(await project(world)), body: { name: `${newName('shop')}.example.com` } }),
  domainsCheck: domain,
  domainsUpdate: async (world) => ({ ...(await domain(world)), body: { wildcard: false } }),
  domainsRepair: domain,
  domainsDelete: domain,
  dnsProvidersList: organization,
  // Nobody is called: the address is one that nobody may call.
  dnsProvidersCreate: async (world) => ({ ...(await organization(world)), body: dnsProviderBody }),
  dnsProvidersUpdate: async ({ db, place }) => ({
    params: { organization: place.organization, provider: await makeDnsProvider(db, place) },
    body: { title: 'Renamed' },
  }),
  dnsProvidersCheck: async ({ db, place }) => ({
    params: { organization: place.organization, provider: await makeDnsProvider(db, place) },
  }),
  dnsProvidersDelete: async ({ db, place }) => ({
    params: { organization: place.organization, provider: await makeDnsProvider(db, place) },
  }),
  platformDnsProvidersList: plain,
  platformDnsProvidersCreate: async () => ({ body: dnsProviderBody }),
  platformDnsProvidersUpdate: async ({ db }) => ({
    params: { provider: await makeDnsProvider(db, null) },
    body: { title: 'Renamed' },
  }),
  platformDnsProvidersCheck: async ({ db }) => ({ params: { provider: await makeDnsProvider(db, null) } }),
  platformCertificateGet: plain,
  platformCertificateUpdate: async () => ({ body: { wildcard: false } }),
  platformDnsProvidersDelete: async ({ db }) => ({ params: { provider: await makeDnsProvider(db, null) } }),
  forwardsListProject: project,
  forwardsList: instance(),
  // A host that has said which ports it has.
  forwardsCreate: async (world) => {
    const facts = JSON.stringify(await world.driver.host());
    // Not by the store's own function, which tells everybody.
    await world.db
      .insertInto('host')
      .values({ id: newId('hst'), name: 'test-host', facts })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ facts }))
      .execute();
    return instance({ protocol: 'udp', port: 5353 })(world);
  },
  forwardsUpdate: forward({ port: 9090, description: 'A game' }),
  forwardsDelete: forward(),
  backupsListProject: project,
  backupsList: instance(),
  backupsCreate: async ({ db, place }) => {
    const id = await makeInstance(db, place);
    await db
      .updateTable('instance')
      .set({ image_fingerprint: 'f'.repeat(64) })
      .where('id', '=', id)
      .execute();
    return { params: { instance: id }, body: { note: 'before the change' } };
  },
  backupsGet: backup(),
  backupsRestore: async (world) => {
    const id = await makeInstance(world.db, world.place);
    const { name } = await world.db
      .selectFrom('instance')
      .select('name')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return { params: { backup: await makeBackup(world.db, world.place, id) }, body: { confirmName: name } };
  },
  backupsRecover: async (world) => ({ ...(await backup()(world)), body: { name: newName('again') } }),
  backupsVerify: backup(),
  backupsDelete: backup(),
  operationsList: project,
  operationsGet: async ({ db, place }) => ({
    params: { operation: await makeOperation(db, place, await makeInstance(db, place)) },
  }),
  operationsStop: async ({ db, place }) => ({
    params: { operation: await makeOperation(db, place, await makeInstance(db, place), true) },
  }),
  platformOperationsList: plain,
  imagesList: plain,
  imagesBuild: image({ force: true }),
  imagesImport: async () => ({
    body: { type: 'file', path: 'image.tar', name: newName('import'), kind: 'server', title: 'Imported' },
  }),
  imagesDelete: image(),
  hostsList: plain,
  hostMetrics: async ({ db }) => ({ params: { host: await makeHost(db) } }),
  prometheus: plain,
  dataTables: plain,
  dataRows: async () => ({ params: { table: 'host' } }),
  hostsGet: async ({ db }) => ({ params: { host: await makeHost(db) } }),
  oauthMetadata: plain,
  oauthDevice: async () => form({ client_id: 'berth-cli' }),
  oauthToken: async () => form({ grant_type: 'refresh_token', client_id: 'berth-cli', refresh_token: 'brr_none' }),
  oauthRevoke: async () => form({ token: 'brr_none', client_id: 'berth-cli' }),
  deviceLoginGet: async ({ db }) => ({ params: { code: await addDeviceLogin(db) } }),
  deviceLoginDecide: async ({ db }) => ({ params: { code: await addDeviceLogin(db) }, body: { allow: true } }),
  keysList: plain,
  keysRotate: async () => ({ body: {} }),
  keysRotateAudit: async () => ({ body: {} }),
  jwks: plain,
  auditList: organization,
  auditExport: organization,
  auditState: organization,
  auditRetention: async ({ place }) => ({ params: { organization: place.organization }, body: { days: 365 } }),
  platformAuditList: plain,
  platformAuditExport: plain,
  platformAuditState: plain,
  platformAuditDeletedList: plain,
  platformAuditRetention: async () => ({ body: { days: 365 } }),
  activityList: project,
  events: plain,
  health: plain,
  ready: plain,
  info: plain,
};
