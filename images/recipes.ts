/**
 * The machines Berth can hand out, as data. A recipe says what is in an image; `build.ts` makes it from the Debian mirror
 * that the building machine itself uses. Files come from `images/files/<tree>`, laid over the root as they are.
 */
export type RecipeName = 'server' | 'desktop';

export type RecipeUser = {
  name: string;
  uid: number;
  shell: string;
  title: string;
  /** Groups that some package of the recipe creates. */
  groups: readonly string[];
  /** Directories below the home, made private (0700) when they start with a dot. */
  directories: readonly string[];
};

export type RecipeLimits = { cpus: number; memoryMiB: number; diskGiB: number; processes: number };

/** Packages of the npm registry, pinned by the lock file in `images/<folder>`, installed into `target`. */
export type RecipeNpm = {
  folder: string;
  target: string;
  /** Commands (argument vectors) run inside the image afterwards, without network. */
  finish: readonly (readonly string[])[];
};

export type Recipe = {
  name: RecipeName;
  kind: 'server' | 'desktop';
  title: string;
  description: string;
  os: 'Debian';
  release: 'trixie';
  releaseVersion: '13';
  packages: readonly string[];
  /** Folders of `images/files`, later ones win. */
  trees: readonly string[];
  /** Permissions of placed files where git's executable bit does not say enough. */
  modes: Readonly<Record<string, number>>;
  users: readonly RecipeUser[];
  enable: readonly string[];
  disable: readonly string[];
  mask: readonly string[];
  /** Paths removed after installation, relative to the root; `*` stands for any one path part. */
  prune: readonly string[];
  /** Links made after installation: path -> target. */
  links: Readonly<Record<string, string>>;
  npm: RecipeNpm | null;
  limits: RecipeLimits;
};

type SharedParts = Pick<Recipe, 'os' | 'release' | 'releaseVersion'> & {
  packages: readonly string[];
  trees: readonly string[];
  modes: Readonly<Record<string, number>>;
  enable: readonly string[];
  disable: readonly string[];
  mask: readonly string[];
  prune: readonly string[];
  links: Readonly<Record<string, string>>;
  user: RecipeUser;
};

/** What every machine has: systemd, network, name resolution, SSH server, the user `berth` with sudo. */
export const base: SharedParts = {
  os: 'Debian',
  release: 'trixie',
  releaseVersion: '13',
  packages: [
    'bash-completion',
    'ca-certificates',
    'curl',
    'dbus',
    'dbus-user-session',
    'git',
    'iproute2',
    'iputils-ping',
    'jq',
    'less',
    'libnss-systemd',
    'libpam-systemd',
    'nano',
    'netbase',
    'openssh-server',
    'procps',
    'python3',
    'rsync',
    'sudo',
    'systemd',
    'systemd-resolved',
    'systemd-sysv',
    'tmux',
    'tzdata',
    'unzip',
    'wget',
    'xz-utils',
  ],
  trees: ['base'],
  modes: { '/etc/sudoers.d/berth': 0o440 },
  enable: ['systemd-networkd.service', 'systemd-resolved.service', 'berth-firstboot.service'],
  disable: [],
  // What cannot work, or has no use, in an unprivileged container.
  mask: [
    'apt-daily-upgrade.timer',
    'apt-daily.timer',
    'console-getty.service',
    'container-getty@.service',
    'dev-hugepages.mount',
    'dev-mqueue.mount',
    'e2scrub_all.timer',
    'e2scrub_reap.service',
    'fstrim.timer',
    'getty@.service',
    'proc-sys-fs-binfmt_misc.automount',
    'sys-fs-fuse-connections.mount',
    'sys-kernel-config.mount',
    'sys-kernel-debug.mount',
    'sys-kernel-tracing.mount',
    'systemd-binfmt.service',
    'systemd-modules-load.service',
    'systemd-networkd-wait-online.service',
    'systemd-sysctl.service',
    'systemd-udevd-control.socket',
    'systemd-udevd-kernel.socket',
    'systemd-udevd.service',
    'systemd-udev-trigger.service',
  ],
  prune: [
    'boot/*',
    'usr/share/doc-base',
    'usr/share/info/*',
    'usr/share/man/*',
    'var/cache/apt/*',
    'var/cache/debconf/*-old',
    'var/lib/apt/lists/*',
    'var/lib/dpkg/*-old',
    'var/log/*.log',
    'var/log/apt/*',
  ],
  links: {
    '/etc/resolv.conf': '../run/systemd/resolve/stub-resolv.conf',
    '/etc/localtime': '/usr/share/zoneinfo/Etc/UTC',
  },
  user: {
    name: 'berth',
    uid: 1000,
    shell: '/bin/bash',
    title: 'Berth',
    groups: ['sudo', 'systemd-journal'],
    directories: ['.ssh'],
  },
};

const server: Recipe = {
  ...base,
  name: 'server',
  kind: 'server',
  title: 'Server',
  description: 'Debian 13 with SSH, Docker Engine and compose, and everyday tools.',
  packages: [
    ...base.packages,
    'apparmor',
    'btrfs-progs',
    'containerd',
    'docker-cli',
    'docker-compose',
    'docker.io',
    'file',
    'htop',
    'iptables',
    'lsof',
    'nftables',
    'vim-tiny',
  ],
  trees: [...base.trees, 'server'],
  users: [{ ...base.user, groups: [...base.user.groups, 'docker'] }],
  enable: [...base.enable, 'ssh.service', 'docker.socket', 'berth-docker-resume.service'],
  disable: ['containerd.service', 'docker.service'],
  npm: null,
  limits: { cpus: 1, memoryMiB: 1024, diskGiB: 10, processes: 1000 },
};

const desktop: Recipe = {
  ...base,
  name: 'desktop',
  kind: 'desktop',
  title: 'Desktop',
  description: 'A Debian 13 desktop in the browser: Xfce, Chromium, files, terminal, editor and ClawBot.',
  packages: [
    ...base.packages,
    'adwaita-icon-theme',
    'chromium',
    'chromium-sandbox',
    'dconf-gsettings-backend',
    'desktop-file-utils',
    'dmz-cursor-theme',
    'file',
    'fonts-inter-variable',
    'fonts-jetbrains-mono',
    'fonts-noto-color-emoji',
    'fonts-noto-core',
    'gvfs',
    'htop',
    'libglib2.0-bin',
    'libnotify-bin',
    'librsvg2-common',
    'mousepad',
    'orchis-gtk-theme',
    'papirus-icon-theme',
    'ristretto',
    'shared-mime-info',
    'thunar',
    'thunar-archive-plugin',
    'tigervnc-standalone-server',
    'tigervnc-tools',
    'vim-tiny',
    'x11-utils',
    'x11-xkb-utils',
    'x11-xserver-utils',
    'xarchiver',
    'xauth',
    'xclip',
    'xdg-user-dirs',
    'xdg-utils',
    'xfce4-notifyd',
    'xfce4-panel',
    'xfce4-session',
    'xfce4-settings',
    'xfce4-taskmanager',
    'xfce4-terminal',
    'xfce4-whiskermenu-plugin',
    'xfconf',
    'xfdesktop4',
    'xfwm4',
    'zip',
  ],
  trees: [...base.trees, 'desktop'],
  users: [{ ...base.user, directories: [...base.user.directories, 'Desktop', 'Documents', 'Downloads', 'Pictures'] }],
  enable: [...base.enable, 'berth-xvnc.service', 'berth-session.service'],
  // A desktop is entered through the browser; `systemctl enable --now ssh` opens the other door.
  disable: ['ssh.service'],
  mask: [...base.mask, 'udisks2.service', 'upower.service'],
  prune: [
    ...base.prune,
    // Only for xrdb's preprocessor, for debugging Vulkan, and for building native modules.
    'usr/libexec/gcc/*/*/cc1',
    'usr/lib/chromium/libVkLayer_khronos_validation.so',
    'opt/clawbot/node_modules/node-linux-*/include',
    'opt/clawbot/node_modules/**/*.map',
    'usr/share/fonts/truetype/jetbrains-mono/*NL*',
    'usr/share/gvfs/remote-volume-monitors/*',
    // The icons are SVG: three sizes and the symbols serve for all, and half of the image's files go.
    'usr/share/icons/Papirus-Light',
    'usr/share/icons/ePapirus*',
    'usr/share/icons/Papirus*/*@2x',
    ...['18x18', '22x22', '32x32', '42x42', '48x48', '84x84', '96x96', '128x128'].map(
      (size) => `usr/share/icons/Papirus*/${size}`,
    ),
    'usr/share/icons/Papirus*/icon-theme.cache',
  ],
  npm: {
    folder: 'clawbot',
    target: '/opt/clawbot',
    // Install scripts are off; this one of OpenClaw is needed to mark the package as complete.
    finish: [['node', '/opt/clawbot/node_modules/openclaw/scripts/postinstall-bundled-plugins.mjs']],
  },
  limits: { cpus: 2, memoryMiB: 4096, diskGiB: 16, processes: 2000 },
};

export const recipes: Readonly<Record<RecipeName, Recipe>> = { server, desktop };

export const recipeNames: readonly RecipeName[] = ['server', 'desktop'];

/** True for the name of a recipe; narrows text that came from outside. */
export function isRecipeName(name: string): name is RecipeName {
  return Object.hasOwn(recipes, name);
}
