import { IncusClient } from '#agent/incus/client.ts';
import { guestName } from '#agent/names.ts';
import type { InstanceId } from '#domain/ids.ts';
import { INCUS_SOCKET, startAgent, testId } from '#testkit/agent.ts';
import { describeConformance } from '../conformance/suite.ts';

describeConformance('agent on Incus', async () => {
  const agent = await startAgent();
  const image = await agent.image();
  const client = new IncusClient(INCUS_SOCKET);
  let networks = 0;
  const base = await agent.network();
  const exec = async (instance: InstanceId, argv: string[]): Promise<string> => {
    const guest = await agent.driver.observe(instance);
    if (guest === null) throw new Error('no such guest');
    const { code, stdout, stderr } = await agent.inside(
      { ...agent.spec(base, 10, image), instance, project: guest.project },
      argv,
    );
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  return {
    driver: agent.driver,
    image,
    network: () => {
      const index = ++networks;
      return {
        project: testId('prj'),
        subnet4: base.subnet4.replace(/\.\d+\.0\/24$/, `.${index}.0/24`),
        subnet6: base.subnet6.replace(/:[0-9a-f]+::\/64$/, `:${index.toString(16)}::/64`),
      };
    },
    id: (prefix) => testId(prefix),
    write: async (instance, mark) => void (await exec(instance, ['sh', '-c', `echo ${mark} > /root/mark && sync`])),
    read: async (instance) => Number(await exec(instance, ['cat', '/root/mark'])),
    killBehind: async (instance) => {
      const guest = await agent.driver.observe(instance);
      if (guest === null) throw new Error('no such guest');
      await client.operate('PUT', `/1.0/instances/${guestName(instance)}/state`, {
        query: { project: agent.names.project(guest.project) },
        body: { action: 'stop', force: true, timeout: 30 },
      });
    },
    close: async () => {
      await client.close();
      await agent.close();
    },
  };
});
