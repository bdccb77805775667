/** What `berth help` says of the commands for the host itself, and what it says of one of them. */
export const HELP = `berth: turns this machine into a cloud that you can hand out

This machine:
  berth up        bring Berth up: install what is missing, start everything, print where it is
      --yes               do not ask before changing the machine
      --detach            return when it runs; without it, Ctrl-C stops Berth (instances keep running)
      --json              print one object: consoleUrl, apiUrl, setupCode, caCertificate, dataDir
      --data-dir DIR      where everything is kept (/var/lib/berth, or BERTH_DATA_DIR)
      --domain NAME       name of the console (berth.localhost); instances live below it
      --control-port N    console and API (9443)
      --ssh-port N        SSH gateway (2222)
      --ssh-workers N     processes of it that carry connections ('auto': by cores)
      --https-port N      instances (443)       --http-port N   redirects to it (80)
      --forward-ports A-B host ports that may lead to instances (20000-21999)
      --acme-directory URL  certificates from this ACME authority instead of one of Berth's own ('internal': back)
      --acme-email MAIL     whom it may write to      --acme-ca-file FILE  what it is trusted by, when private
      --dns-resolver ADDR   asked whether domains are proven, ADDRESS or ADDRESS:PORT ('system': this machine's)
      --pool-device DEV   an empty disk or partition for instances, instead of a file
      --pool-size SIZE    size of that file, such as 40GiB
      --demo              create an owner account and print its password
      --no-images         do not build images now
      --no-console        API only
  berth down      stop Berth's processes; instances keep running
  berth uninstall remove this installation with every instance and its data   [--yes]
  berth status    what runs                                  [--json]
  berth logs      [process] [-f] [-n LINES] [--json]
  berth ssh-host-key [next|switch|drop]   the SSH gateway's host key, and changing it
  berth doctor    what this machine can do and what is wrong [--json]
  berth version

Development:
  berth test      every check and every test                 [--only unit|console|integration|e2e|check] [--fast]
  berth dev       the whole stack with reload (npm run dev)

The cloud (berth help for instances, images, ...): berth login, berth instances, berth --help
`;

/** The part about one command, its options included; null when there is none. */
export function helpOf(verb: string): string | null {
  const lines = HELP.split('\n');
  const from = lines.findIndex((line) => line.startsWith(`  berth ${verb} `) || line === `  berth ${verb}`);
  if (from === -1) return null;
  const count = lines.slice(from + 1).findIndex((line) => !line.startsWith('      '));
  return `${lines
    .slice(from, from + 1 + count)
    .map((line) => line.slice(2))
    .join('\n')}\n`;
}
