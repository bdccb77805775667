/** The table of contents of the documentation site: which files belong to it, in which order. */

export type Section = { title: string; pages: readonly string[] };

/** Paths from the root of the repository. A test fails when a page of docs/ is missing here. */
export const sections: readonly Section[] = [
  {
    title: 'Start',
    pages: [
      'docs/README.md',
      'docs/tutorial/desktop-in-two-minutes.md',
      'docs/tutorial/server-in-five-minutes.md',
      'docs/tutorial/a-domain-of-your-own.md',
      'docs/tutorial/ssh-from-anywhere.md',
    ],
  },
  {
    title: 'How to',
    pages: [
      'docs/how-to/install-with-your-own-disk.md',
      'docs/how-to/trust-the-ca-certificate.md',
      'docs/how-to/change-ports-and-domain.md',
      'docs/how-to/use-a-domain-of-your-own.md',
      'docs/how-to/connect-a-dns-provider.md',
      'docs/how-to/limit-who-reaches-the-console.md',
      'docs/how-to/invite-people.md',
      'docs/how-to/share-desktops-and-apps.md',
      'docs/how-to/ssh-from-anywhere.md',
      'docs/how-to/run-pipelines-with-service-accounts.md',
      'docs/how-to/let-people-register.md',
      'docs/how-to/send-email.md',
      'docs/how-to/protect-accounts-with-a-second-factor.md',
      'docs/how-to/sign-in-with-keycloak-or-google.md',
      'docs/how-to/use-berth-as-openid-provider.md',
      'docs/how-to/set-quotas-and-limits.md',
      'docs/how-to/cache-images.md',
      'docs/how-to/watch-metrics.md',
      'docs/how-to/scrape-with-prometheus.md',
      'docs/how-to/move-files.md',
      'docs/how-to/run-stacks.md',
      'docs/how-to/forward-ports.md',
      'docs/how-to/control-what-comes-in-and-goes-out.md',
      'docs/how-to/back-up-and-restore.md',
      'docs/how-to/restore-a-deleted-instance.md',
      'docs/how-to/move-an-instance-to-another-project.md',
      'docs/how-to/import-an-image.md',
      'docs/how-to/verify-an-export.md',
      'docs/how-to/look-at-the-data.md',
      'docs/how-to/use-the-command-line.md',
      'docs/how-to/uninstall.md',
    ],
  },
  {
    title: 'Reference',
    pages: [
      'docs/reference/cli.md',
      'docs/reference/errors.md',
      'docs/reference/permissions.md',
      'docs/reference/configuration.md',
      'docs/reference/limits.md',
      'docs/glossary.md',
    ],
  },
  {
    title: 'Explanation',
    pages: [
      'ARCHITECTURE.md',
      'docs/explanation/isolation.md',
      'docs/explanation/ingress.md',
      'docs/explanation/durability.md',
      'docs/explanation/audit-log.md',
      'SECURITY.md',
      'docs/security/asvs.md',
      'docs/security/peers-mistakes.md',
    ],
  },
  {
    title: 'Runbooks',
    pages: [
      'docs/runbooks/server-down.md',
      'docs/runbooks/engine-down.md',
      'docs/runbooks/disk-full.md',
      'docs/runbooks/postgresql-does-not-start.md',
      'docs/runbooks/everything-killed.md',
      'docs/runbooks/keys.md',
    ],
  },
  {
    title: 'Working on Berth',
    pages: [
      'CONTRIBUTING.md',
      'docs/guides/add-an-endpoint.md',
      'docs/guides/add-a-workflow.md',
      'docs/guides/add-a-reconciler.md',
      'docs/guides/add-a-driver.md',
      'docs/guides/add-a-page.md',
      'bench/README.md',
      'docs/adr/README.md',
    ],
  },
  {
    title: 'Decisions',
    pages: [
      'docs/adr/0001-licence.md',
      'docs/adr/0002-durable-work-on-dbos.md',
      'docs/adr/0003-embedded-postgresql.md',
      'docs/adr/0004-incus-for-desktops-and-servers.md',
      'docs/adr/0005-zero-reload-ingress.md',
      'docs/adr/0006-our-own-supervisor.md',
      'docs/adr/0007-edge-reads-the-database-through-views.md',
      'docs/adr/0008-screen-passwords-are-minted-in-the-guest.md',
      'docs/adr/0009-types-stripped-nothing-built.md',
      'docs/adr/0010-docs-are-static-pages.md',
      'docs/adr/0011-what-an-archived-instance-keeps.md',
      'docs/adr/0012-audit-entries-are-linked-at-commit.md',
      'docs/adr/0013-open-connections-of-private-routes-go-through-edge.md',
      'docs/adr/0014-ssh-gateway-holds-no-key.md',
      'docs/adr/0015-port-forwards-are-one-map.md',
      'docs/adr/0016-rules-of-people-are-one-table.md',
      'docs/adr/0017-files-are-sftp-spoken-by-the-server.md',
      'docs/adr/0018-ssh-recordings-are-files-of-the-gateway.md',
      'docs/adr/0020-wildcard-certificates-are-made-by-the-server.md',
      'docs/adr/0021-instances-ask-a-resolver-of-ours.md',
      'docs/adr/0022-image-cache-is-docker-registry-between-two-doors.md',
      'docs/adr/0023-backups-are-one-restic-repository-per-instance.md',
      'docs/adr/0024-instances-reach-each-other-only-through-group-rules.md',
    ],
  },
];

/** Where a source file is on the site: 'docs/how-to/x.md' -> 'how-to/x', 'ARCHITECTURE.md' -> 'architecture'. */
export function pagePath(file: string): string {
  if (file === 'docs/README.md') return 'index';
  return file
    .replace(/^docs\//, '')
    .replace(/\/README\.md$/, '')
    .replace(/\.md$/, '')
    .toLowerCase();
}
