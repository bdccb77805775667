/** The data page: tables as they are stored, for administrators of the installation. Read only, and every look is recorded. */
import { z } from 'zod';
import { dataTableNames } from '#domain/data.ts';
import { API_PREFIX, pageQuery } from './common.ts';
import { defineRoute } from './route.ts';

const tag = 'platform';
const table = z.enum(dataTableNames as [string, ...string[]]);

export const dataRoutes = {
  dataTables: defineRoute({
    id: 'data.tables',
    method: 'GET',
    path: `${API_PREFIX}/platform/data`,
    tag,
    access: 'platform.data.read',
    rateClass: 'api',
    status: 200,
    summary: 'Tables that can be looked at, with their columns',
    response: z.object({ items: z.array(z.object({ table, columns: z.array(z.string()) })) }),
  }),
  dataRows: defineRoute({
    id: 'data.rows',
    method: 'GET',
    path: `${API_PREFIX}/platform/data/:table`,
    tag,
    access: 'platform.data.read',
    rateClass: 'api',
    status: 200,
    summary: 'Rows of a table, newest first; every look is recorded in the audit log',
    description: 'Secrets and their digests are in no column. Long values are cut.',
    params: z.object({ table }),
    query: z.object({
      ...pageQuery,
      column: z.string().max(63).optional().meta({ description: 'Only rows in which this column ...' }),
      value: z.string().max(200).optional().meta({ description: '... holds this text (upper and lower case alike)' }),
    }),
    response: z.object({
      table,
      columns: z.array(z.string()),
      items: z.array(z.array(z.string().nullable())).meta({ description: 'Values in the order of the columns' }),
      nextCursor: z.string().nullable(),
    }),
  }),
} as const;
