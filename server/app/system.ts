/** Health of the control plane and facts about the installation. */
import type { AppContext } from './context.ts';

export type HealthProbes = {
  database(): Promise<unknown>;
  agent(): Promise<unknown>;
};

const PROBE_TIMEOUT_MS = 3_000;

/** Asks the database and the agent, each for at most PROBE_TIMEOUT_MS. */
export async function readHealth(
  probes: HealthProbes,
): Promise<{ status: 'ok' | 'degraded'; database: boolean; agent: boolean }> {
  const [database, agent] = await Promise.all([answers(probes.database), answers(probes.agent)]);
  return { status: database && agent ? 'ok' : 'degraded', database, agent };
}

async function answers(probe: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIMEOUT_MS, false);
  });
  const asked = probe().then(
    () => true,
    () => false,
  );
  const result = await Promise.race([asked, late]);
  clearTimeout(timer);
  return result;
}

/** Said wherever instances are made: desktops and servers are containers. */
const SHARED_KERNEL_NOTICE =
  'Desktops and servers are system containers: each has its own users, files and network, and all share the kernel of the host. Give strangers who must not share a kernel a virtual machine instead.';

export function systemInfo(app: AppContext) {
  const { domain, ports, consoleOrigin } = app.config;
  const port = ports.https === 443 ? '' : `:${ports.https}`;
  return {
    version: app.version,
    domain,
    consoleUrl: consoleOrigin,
    instanceUrlPattern: `https://{name}.${domain}${port}`,
    sharedKernelNotice: SHARED_KERNEL_NOTICE,
  };
}
