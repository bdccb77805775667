import { describe, expect, it } from 'vitest';
import {
  chooseMirror,
  imageSources,
  inheritedAptOptions,
  machineMirror,
  mirrorLines,
  parseDeb822,
  parseSourcesList,
} from './apt-sources.ts';

const debian12 = `Types: deb
# a comment inside
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.test/debian-security/
Suites: bookworm-security
Components: main contrib
`;

describe('U6: the mirror is that of the machine', () => {
  it('reads deb822 sources', () => {
    expect(chooseMirror(parseDeb822(debian12))).toEqual({
      archive: 'http://mirror.test/debian',
      security: 'http://mirror.test/debian-security',
    });
  });

  it('reads one-line sources', () => {
    const text = `# deb http://old.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.test/debian trixie main contrib # note
deb https://sec.test/debian-security trixie-security main`;
    expect(chooseMirror(parseSourcesList(text))).toEqual({
      archive: 'https://mirror.test/debian',
      security: 'https://sec.test/debian-security',
    });
  });

  it('ignores other distributions, backports, third parties, local archives and what is switched off', () => {
    const text = `deb http://archive.test/ubuntu noble main
deb http://mirror.test/debian bookworm-backports main
deb file:///srv/debian bookworm main
deb http://mirror.test/contrib-only bookworm contrib
deb-src http://mirror.test/debian bookworm main`;
    expect(chooseMirror(parseSourcesList(text))).toBeNull();
    expect(chooseMirror(parseDeb822(`Enabled: no\n${debian12.split('\n\n')[0]}`))).toBeNull();
  });

  it('takes the default of mmdebstrap when the machine has no Debian mirror', () => {
    expect(machineMirror('/nonexistent')).toBeNull();
    expect(mirrorLines(null, 'trixie', null)).toEqual([]);
  });

  it('writes the lines for the release that is built, signed by the given keyring', () => {
    const mirror = { archive: 'http://m.test/debian', security: 'http://m.test/debian-security' };
    expect(mirrorLines(mirror, 'trixie', '/k.gpg')).toEqual([
      'deb [signed-by=/k.gpg] http://m.test/debian trixie main',
      'deb [signed-by=/k.gpg] http://m.test/debian trixie-updates main',
      'deb [signed-by=/k.gpg] http://m.test/debian-security trixie-security main',
    ]);
    const again = chooseMirror(parseDeb822(imageSources(mirror, 'trixie')));
    expect(again).toEqual(mirror);
  });

  it('refuses an address that could carry more than an address', () => {
    expect(
      chooseMirror([{ types: ['deb'], uris: ['http://m.test/"; x'], suites: ['trixie'], components: ['main'] }]),
    ).toBe(null);
  });

  it('inherits proxies and clock checks and nothing else', () => {
    const dump = `Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.test:3128";
Acquire::https::Proxy "";
Acquire::Check-Valid-Until "false";
Acquire::Languages:: "en";
APT::Install-Recommends "1";
DPkg::Post-Invoke:: "rm -rf /";`;
    expect(inheritedAptOptions(dump)).toEqual([
      'Acquire::http::Proxy "http://proxy.test:3128";',
      'Acquire::Check-Valid-Until "false";',
    ]);
  });
});
