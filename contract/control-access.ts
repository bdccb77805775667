/** From where the control plane may be entered, for the administrators of the installation. */
import { z } from 'zod';
import { CONTROL_NETWORKS_MAX } from '#domain/control-access.ts';
import { networkProblem } from '#domain/networks.ts';
import { API_PREFIX } from './common.ts';
import { defineRoute } from './route.ts';

const networkSchema = z
  .string()
  .max(50)
  .superRefine((value, context) => {
    const problem = networkProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

const answer = z.object({
  networks: z.array(z.string()).meta({ description: 'Empty: everybody may' }),
  address: z.string().nullable().meta({ description: 'Where this very request comes from' }),
});
const shared = {
  tag: 'platform',
  rateClass: 'api',
  status: 200,
  path: `${API_PREFIX}/platform/control-access`,
} as const;

export const controlAccessRoutes = {
  controlAccessGet: defineRoute({
    ...shared,
    id: 'platform.control-access.get',
    method: 'GET',
    access: 'platform.settings.read',
    summary: 'From which networks console and API may be used',
    response: answer,
  }),
  controlAccessUpdate: defineRoute({
    ...shared,
    id: 'platform.control-access.update',
    method: 'PUT',
    access: 'platform.settings.update',
    summary: 'Set from which networks console and API may be used',
    description:
      'Holds within seconds, also for screens and terminals. The machine itself may always. A list without the address this request comes from is refused unless `evenMe` says so.',
    body: z.strictObject({
      networks: z.array(networkSchema).max(CONTROL_NETWORKS_MAX),
      evenMe: z.boolean().default(false),
    }),
    response: answer,
  }),
} as const;
