import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { configPath, findHostInstallation, readConfig, resolveContext, writeConfig } from './config.ts';
import { CliError } from './errors.ts';

const folders: string[] = [];
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'berth-cli-'));
  folders.push(path);
  return path;
}
afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
});

const file = {
  current: 'home',
  contexts: {
    home: { url: 'https://berth.localhost:9443', token: 'brt_home', ca: '/home.crt' },
    work: { url: 'https://cloud.example.com', token: 'brt_work' },
  },
};

it('U3: the file is readable by its owner alone', async () => {
  const path = join(await folder(), 'deep', 'berth', 'config.json');
  await writeConfig(path, file);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readConfig(path)).toEqual(file);
  await writeConfig(path, { ...file, current: 'work' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('U3: an absent file is empty, a damaged one is explained', async () => {
  const path = join(await folder(), 'config.json');
  expect(await readConfig(path)).toEqual({ current: 'default', contexts: {} });
  await writeFile(path, '{"contexts": 5}');
  await expect(readConfig(path)).rejects.toThrow(CliError);
});

it('U3: XDG_CONFIG_HOME moves it', () => {
  expect(configPath({ HOME: '/home/ada' })).toBe('/home/ada/.config/berth/config.json');
  expect(configPath({ HOME: '/home/ada', XDG_CONFIG_HOME: '/cfg' })).toBe('/cfg/berth/config.json');
});

it('U3: environment wins over the file; --context over both', () => {
  expect(resolveContext(file, {}, undefined).context?.token).toBe('brt_home');
  expect(resolveContext(file, { BERTH_CONTEXT: 'work' }, undefined).context?.token).toBe('brt_work');
  expect(resolveContext(file, { BERTH_CONTEXT: 'work' }, 'home').context?.token).toBe('brt_home');
  expect(resolveContext(file, { BERTH_TOKEN: 'brt_env' }, undefined).context?.token).toBe('brt_env');
  expect(() => resolveContext(file, {}, 'nowhere')).toThrow(CliError);
});

it('U3: a token of one installation is never sent to another', () => {
  const other = resolveContext(file, { BERTH_URL: 'https://evil.example' }, undefined);
  expect(other.context).toEqual({ url: 'https://evil.example' });
});

it('U3: on the host the data directory says where the installation is', async () => {
  const data = await folder();
  expect(await findHostInstallation(data)).toBe(null);
  await writeFile(
    join(data, 'config.json'),
    JSON.stringify({ domain: 'berth.localhost', ports: { control: 9443, https: 443 } }),
  );
  expect(await findHostInstallation(data)).toEqual({ url: 'https://berth.localhost:9443', ca: join(data, 'ca.crt') });
  await writeFile(join(data, 'config.json'), JSON.stringify({ domain: 'cloud.example.com', ports: { control: 443 } }));
  expect((await findHostInstallation(data))?.url).toBe('https://cloud.example.com');
});
