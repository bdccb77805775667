/**
 * A small guest image for tests of the agent, made once per machine from the Debian mirror that apt uses here: systemd,
 * network, sshd and a few tools, in the engine's unified form. The product's own images take minutes; this one half a
 * minute, once.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const FOLDER = '/var/tmp/berth-test-image';
const VERSION = 4;
const BUILD_MS_MAX = 600_000;

const packages = [
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  'libpam-systemd',
  'openssh-server',
  'iproute2',
  'python3-minimal',
  'curl',
  'hostname',
  'kmod',
  'procps',
  'mount',
  'iputils-ping',
  'nftables',
];

const files: Record<string, string> = {
  'etc/systemd/network/eth0.network':
    '[Match]\nName=eth0\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n[DHCPv4]\nClientIdentifier=mac\n[DHCPv6]\nDUIDType=link-layer\nIAID=1\n',
  'etc/systemd/system/ssh.service.d/keys.conf':
    '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n',
  // The part of a desktop's first boot that the agent relies on: a password of its own, made when there is none.
  'etc/systemd/system/test-password.service':
    "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\nBefore=ssh.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nUMask=0077\nExecStart=/usr/bin/python3 -c \"import os;p='/etc/berth/vnc-password';os.makedirs('/etc/berth',exist_ok=True);os.path.exists(p) or open(p,'w').write(os.urandom(4).hex())\"\n[Install]\nWantedBy=multi-user.target\n",
};

const masked = [
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'sys-kernel-config.mount',
  'dev-hugepages.mount',
  'systemd-networkd-wait-online.service',
];

/** Path of the unified image; builds it when it is not there. Needs root. */
export async function testImage(): Promise<string> {
  const path = join(FOLDER, `unified-v${VERSION}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(FOLDER, { recursive: true });
  const work = mkdtempSync(join(FOLDER, 'build-'));
  try {
    const extra = join(work, 'extra');
    for (const [name, content] of Object.entries(files)) {
      const target = join(extra, name);
      mkdirSync(join(target, '..'), { recursive: true });
      writeFileSync(target, content);
    }
    const hooks = [
      `copy-in ${extra}/etc /`,
      'chroot "$1" useradd -m -u 1000 -s /bin/bash berth',
      'chroot "$1" systemctl enable systemd-networkd test-password',
      ...masked.map((unit) => `ln -sf /dev/null "$1/etc/systemd/system/${unit}"`),
      'rm -rf "$1"/etc/ssh/ssh_host_* "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*',
      ': > "$1/etc/machine-id"',
    ];
    const args = [
      '--variant=minbase',
      `--include=${packages.join(',')}`,
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      'bookworm',
      join(work, 'rootfs'),
    ];
    await run('mmdebstrap', args, { timeout: BUILD_MS_MAX, maxBuffer: 64 * 1024 * 1024 });
    const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    writeFileSync(
      join(work, 'metadata.yaml'),
      `architecture: ${architecture}\ncreation_date: 1763692800\nproperties:\n  description: Berth test image\n  os: debian\n`,
    );
    await run(
      'tar',
      ['--numeric-owner', '--xattrs', '-C', work, '-cf', join(work, 'unified.tar'), 'metadata.yaml', 'rootfs'],
      { timeout: BUILD_MS_MAX },
    );
    renameSync(join(work, 'unified.tar'), path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}
