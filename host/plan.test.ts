import { describe, expect, it } from 'vitest';
import { type MachineFacts, parseDeb822, parseOsRelease, parseSourcesList } from './machine.ts';
import { debianArchive, describePlan, isEmpty, planMachine, wantedPackages } from './plan.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const bookwormSources = `Types: deb
# a comment
URIs: http://mirror.example.org/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${keyring}

Types: deb
URIs: http://security.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: ${keyring}
`;

function machine(more: Partial<MachineFacts> = {}): MachineFacts {
  return {
    os: { id: 'debian', versionId: '12', codename: 'bookworm', name: 'Debian GNU/Linux 12 (bookworm)' },
    arch: 'x64',
    root: true,
    apt: true,
    systemd: true,
    installed: new Set(['iproute2', 'util-linux', 'ca-certificates']),
    incusCandidate: null,
    aptSources: parseDeb822(bookwormSources),
    caddy: null,
    registry: null,
    ...more,
  };
}
const trixie = { id: 'debian', versionId: '13', codename: 'trixie', name: 'Debian GNU/Linux 13 (trixie)' };
const noble = { id: 'ubuntu', versionId: '24.04', codename: 'noble', name: 'Ubuntu 24.04.3 LTS' };

describe('U1: the plan for a fresh machine', () => {
  it('Debian 12: backports from the mirror and with the keyring that the machine uses already', () => {
    const plan = planMachine(machine());
    expect(plan.refusals).toEqual([]);
    expect(plan.backports).toEqual({
      uri: 'http://mirror.example.org/debian',
      suites: ['bookworm-backports'],
      components: ['main'],
      signedBy: keyring,
      file: '/etc/apt/sources.list.d/berth-backports.sources',
    });
    expect(plan.packages).toContain('incus');
    expect(plan.engineRelease).toBe('bookworm-backports');
    expect(plan.packages).not.toContain('iproute2');
    expect(plan.caddy?.source).toMatchObject({ uri: 'http://mirror.example.org/debian', suites: ['trixie-backports'] });
    expect(describePlan(plan).join('\n')).toMatch(/bookworm-backports[\s\S]*incus[\s\S]*caddy/);
  });

  it('Debian 12 that has backports already: nothing is added to apt, the engine still comes from there', () => {
    const plan = planMachine(machine({ incusCandidate: '6.0.4-2~bpo12+1' }));
    expect([plan.backports, plan.engineRelease]).toEqual([null, 'bookworm-backports']);
  });

  it('Debian 13 and Ubuntu 24.04: incus is in their own archive', () => {
    const debian = planMachine(machine({ os: trixie, incusCandidate: '6.0.4-2' }));
    expect([debian.backports, debian.engineRelease, debian.refusals]).toEqual([null, null, []]);
    const ubuntu = planMachine(
      machine({
        os: noble,
        incusCandidate: '6.0.0-1ubuntu0.3',
        aptSources: parseSourcesList('deb http://archive.example.org/ubuntu noble main universe'),
      }),
    );
    expect([ubuntu.backports, ubuntu.refusals]).toEqual([null, []]);
    // Images and Caddy come from Debian: its keys are needed, and Ubuntu's mirror is no Debian mirror.
    expect(ubuntu.packages).toContain('debian-archive-keyring');
    expect(ubuntu.caddy).toEqual({ source: null, wanted: '2.11.2' });
    expect(describePlan(ubuntu).join()).toContain('BERTH_DEBIAN_MIRROR');
  });

  it('a machine that has everything: nothing to do', () => {
    const installed = new Set(wantedPackages(trixie));
    const plan = planMachine(machine({ os: trixie, installed, caddy: { path: '/usr/bin/caddy', version: '2.11.2' } }));
    expect(isEmpty(plan)).toBe(true);
    expect(
      planMachine(machine({ os: trixie, installed, caddy: { path: '/usr/bin/caddy', version: '2.6.2' } })).caddy,
    ).not.toBeNull();
  });

  it('not root: says so, and what it would install', () => {
    const plan = planMachine(machine({ root: false }));
    expect(plan.refusals.join('\n')).toMatch(/as root/);
    expect(plan.refusals.join('\n')).toMatch(/incus .*mmdebstrap/);
  });

  it('no apt: names every missing package and what is installed by itself', () => {
    const os = { id: 'fedora', versionId: '43', codename: '', name: 'Fedora Linux 43' };
    const plan = planMachine(machine({ os, apt: false, installed: new Set() }));
    expect(plan.refusals.join('\n')).toMatch(
      /no apt-get on Fedora Linux 43.*incus.*btrfs-progs.*caddy \(>= 2\.11\.2\)/,
    );
  });

  it('another Debian-like system whose apt knows no incus: where to get it', () => {
    const os = { id: 'linuxmint', versionId: '21', codename: 'vera', name: 'Linux Mint 21' };
    expect(planMachine(machine({ os })).refusals.join('\n')).toMatch(/knows no incus on Linux Mint 21/);
  });
});

describe('reading the machine', () => {
  it('reads os-release with and without quotes', () => {
    expect(
      parseOsRelease(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
      ),
    ).toEqual({
      id: 'debian',
      versionId: '12',
      codename: 'bookworm',
      name: 'Debian GNU/Linux 12 (bookworm)',
    });
    expect(parseOsRelease('').name).toBe('unknown');
  });

  it('reads deb822 stanzas, leaving out sources, disabled ones and inline keys', () => {
    const found = parseDeb822(
      'Types: deb-src\nURIs: http://a\nSuites: x\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://b\nSuites: x\nComponents: main\n\nTypes: deb deb-src\nURIs: http://c http://d/\nSuites: x y\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n',
    );
    expect(found.map((source) => [source.uri, source.suites, source.signedBy])).toEqual([
      ['http://c', ['x', 'y'], null],
      ['http://d', ['x', 'y'], null],
    ]);
  });

  it('reads one-line sources with options', () => {
    expect(
      parseSourcesList(
        `# deb http://no x main\ndeb [arch=amd64 signed-by=${keyring}] http://m/debian/ bookworm main contrib # c\n`,
      ),
    ).toEqual([{ uri: 'http://m/debian', suites: ['bookworm'], components: ['main', 'contrib'], signedBy: keyring }]);
  });

  it('takes the archive of the release, not the one of security updates', () => {
    expect(debianArchive(machine())?.uri).toBe('http://mirror.example.org/debian');
    expect(debianArchive({ os: trixie, aptSources: [] }, undefined)).toBeNull();
    expect(debianArchive({ os: trixie, aptSources: [] }, 'http://m.example/debian')).toEqual({
      uri: 'http://m.example/debian',
      signedBy: keyring,
    });
  });
});
