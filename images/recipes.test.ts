import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imagesFolder, placedFiles, recipeHash } from './recipe-files.ts';
import { isRecipeName, type Recipe, recipeNames, recipes } from './recipes.ts';

const twice = (list: readonly string[]) => list.filter((item, index) => list.indexOf(item) !== index);

describe.each(recipeNames)('U6: recipe %s', (name) => {
  const recipe = recipes[name];
  const files = placedFiles(recipe);
  const read = (to: string) => readFileSync(files.find((file) => file.to === to)?.from ?? '', 'utf8');

  it('names nothing twice', () => {
    for (const list of [recipe.packages, recipe.enable, recipe.disable, recipe.mask, recipe.prune, recipe.trees]) {
      expect(twice(list)).toEqual([]);
    }
  });

  it('has packages with real names only', () => {
    for (const one of recipe.packages) expect(one).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
  });

  it('does not enable what it masks', () => {
    expect(recipe.enable.filter((unit) => recipe.mask.includes(unit) || recipe.disable.includes(unit))).toEqual([]);
  });

  it('has a file for every unit of its own that it enables', () => {
    const own = recipe.enable.filter((unit) => unit.startsWith('berth-'));
    expect(own.length).toBeGreaterThan(0);
    for (const unit of own) expect(files.map((file) => file.to)).toContain(`/usr/lib/systemd/system/${unit}`);
  });

  it('gives special permissions to files that exist', () => {
    for (const path of Object.keys(recipe.modes)) expect(files.map((file) => file.to)).toContain(path);
    expect(files.find((file) => file.to === '/etc/sudoers.d/berth')?.mode).toBe(0o440);
  });

  it('makes scripts executable and nothing else', () => {
    for (const file of files) {
      const script = readFileSync(file.from).subarray(0, 2).toString() === '#!';
      expect([file.to, (file.mode & 0o111) !== 0]).toEqual([file.to, script]);
      expect(file.mode & 0o022, file.to).toBe(0);
    }
  });

  it('bakes no secret in: no host key, no password, no machine id', () => {
    for (const file of files) {
      expect(file.to).not.toMatch(/ssh_host_|\/machine-id$|vnc-passw|token$|\/shadow$/);
      expect(readFileSync(file.from, 'latin1')).not.toMatch(/BEGIN [A-Z ]*PRIVATE KEY/);
    }
  });

  it('removes only below the root', () => {
    for (const path of recipe.prune) expect(path).not.toMatch(/^\/|(^|\/)\.\.(\/|$)/);
  });

  it('locks passwords out of SSH and keeps the host key of its own', () => {
    const settings = read('/etc/ssh/sshd_config.d/10-berth.conf');
    expect(settings).toContain('PasswordAuthentication no');
    expect(settings).toContain('PermitRootLogin no');
    expect(settings).toContain('HostKey /etc/ssh/ssh_host_ed25519_key');
  });

  it('bounds the journal', () => {
    expect(read('/etc/systemd/journald.conf.d/berth.conf')).toMatch(/^SystemMaxUse=100M$/m);
  });

  it('has the user berth with uid 1000 and sudo', () => {
    expect(recipe.users).toMatchObject([{ name: 'berth', uid: 1000 }]);
    expect(recipe.users[0]?.groups).toContain('sudo');
  });

  it('has placed files that are all there, and shell-free unit commands', () => {
    for (const file of files) {
      expect(statSync(file.from).isFile()).toBe(true);
      if (file.to.endsWith('.service')) expect(readFileSync(file.from, 'utf8')).not.toMatch(/Exec\w+=.*\b(ba)?sh -c/);
    }
  });

  it('pins what it takes from npm by a lock file without registry addresses', () => {
    if (!recipe.npm) return;
    const folder = join(imagesFolder, recipe.npm.folder);
    const wanted: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(wanted).toMatchObject({ dependencies: { openclaw: '2026.9.6' } });
    const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
    expect(lock).not.toContain('"resolved"');
    expect(lock.match(/"integrity"/g)?.length).toBeGreaterThan(100);
    expect(existsSync(join(folder, 'node_modules'))).toBe(false);
  });
});

describe('U6: the hash of a recipe', () => {
  const changed = (change: Partial<Recipe>) => recipeHash({ ...recipes.server, ...change }, 'amd64');
  const hash = recipeHash(recipes.server, 'amd64');

  it('is the same for the same recipe', () => {
    expect(recipeHash({ ...recipes.server }, 'amd64')).toBe(hash);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('follows content: packages, files, modes, units, architecture', () => {
    const others = [
      changed({ packages: [...recipes.server.packages, 'zip'] }),
      changed({ trees: ['base'] }),
      changed({ modes: {} }),
      changed({ mask: [] }),
      recipeHash(recipes.server, 'arm64'),
      recipeHash(recipes.desktop, 'amd64'),
    ];
    expect(new Set([hash, ...others]).size).toBe(others.length + 1);
  });

  it('does not follow words and limits, which are not in the image', () => {
    expect(changed({ title: 'Other', description: 'Other', limits: { ...recipes.server.limits, cpus: 9 } })).toBe(hash);
  });
});

it.each(['', 'Server', 'toString', '__proto__', '../server', 'server ', 'constructor'])(
  'U6: %j is no recipe',
  (name) => {
    expect(isRecipeName(name)).toBe(false);
  },
);
