/** From where the control plane may be entered, for the administrators of the installation. */
import { z } from 'zod';
import { CONTROL_COUNTRIES_MAX, CONTROL_NETWORKS_MAX, COUNTRY } from '#domain/control-access.ts';
import { networkProblem } from '#domain/networks.ts';
import { API_PREFIX, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

const networkSchema = z
  .string()
  .max(50)
  .superRefine((value, context) => {
    const problem = networkProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

const answer = z.object({
  networks: z.array(z.string()).meta({ description: 'Without countries: empty lets everybody in' }),
  countries: z.array(z.string()).meta({ description: 'Whoever is in one of these may as well' }),
  address: z.string().nullable().meta({ description: 'Where this very request comes from' }),
  country: z.string().nullable().meta({ description: 'The country of that address, as the database says' }),
  database: z
    .object({
      state: z.enum(['none', 'ready', 'broken']),
      builtAt: timestamp.nullable(),
      problem: z.string().nullable(),
    })
    .meta({ description: 'The database of countries on the machine; without one only networks let anybody in' }),
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
      countries: z
        .array(z.string().toUpperCase().regex(COUNTRY, 'Two letters, such as DE.'))
        .max(CONTROL_COUNTRIES_MAX)
        .default([]),
      evenMe: z.boolean().default(false),
    }),
    response: answer,
  }),
} as const;
