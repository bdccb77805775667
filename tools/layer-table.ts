/**
 * Who may import whom (design.md section 3, as data). A room is a folder; the longest matching name wins. Tests, testkit
 * and e2e may import everything.
 */
export type RoomRule = {
  /** Rooms beside itself. '*' is every room. */
  rooms: readonly string[];
  /** npm packages; null: any. Node's own modules are packages named 'node:'. */
  packages: readonly string[] | null;
};

const any = null;

export const layerTable: Readonly<Record<string, RoomRule>> = {
  domain: { rooms: [], packages: [] },
  contract: { rooms: ['domain'], packages: ['zod', 'node:', 'mmdb-lib'] },
  drivers: { rooms: ['domain'], packages: any },
  'drivers/agent': { rooms: ['drivers', 'domain', 'contract'], packages: any },
  'drivers/simulated': { rooms: ['drivers', 'domain'], packages: any },
  'drivers/conformance': { rooms: ['drivers', 'domain'], packages: any },
  integrations: { rooms: ['domain'], packages: any },
  'server/store': { rooms: ['domain'], packages: any },
  'server/runtime': { rooms: ['domain'], packages: any },
  'server/workflows': { rooms: ['domain', 'server/store', 'server/runtime', 'drivers', 'integrations'], packages: any },
  'server/reconcilers': {
    rooms: ['domain', 'server/store', 'server/runtime', 'server/workflows', 'drivers', 'integrations'],
    packages: any,
  },
  'server/app': {
    rooms: [
      'domain',
      'server/store',
      'server/runtime',
      'server/workflows',
      'contract',
      'integrations/identity/interface.ts',
      'integrations/dns/interface.ts',
    ],
    packages: any,
  },
  'server/http': { rooms: ['server/app', 'contract', 'server/runtime', 'domain'], packages: any },
  /** main.ts and the wiring beside it. */
  server: { rooms: ['*'], packages: any },
  operator: { rooms: ['server/app', 'domain', 'contract', 'server/runtime', 'integrations'], packages: any },
  images: { rooms: ['domain'], packages: ['node:'] },
  agent: { rooms: ['contract', 'domain', 'images', 'drivers'], packages: any },
  edge: { rooms: ['contract', 'domain'], packages: any },
  'ssh-gateway': { rooms: ['contract', 'domain'], packages: any },
  registry: { rooms: ['contract', 'domain'], packages: any },
  console: { rooms: ['contract', 'domain'], packages: any },
  cli: { rooms: ['contract', 'domain'], packages: any },
  // Caddy's configuration is edge's, the machine writes it down.
  host: { rooms: ['contract', 'domain', 'edge/caddy.ts'], packages: any },
  tools: { rooms: [], packages: any },
  db: { rooms: [], packages: [] },
  testkit: { rooms: ['*'], packages: any },
  e2e: { rooms: ['*'], packages: any },
  bench: { rooms: ['*'], packages: any },
  docs: { rooms: ['*'], packages: any },
};

/** Entry files that may wire everything together. */
export const wiringFiles: readonly string[] = [
  'server/main.ts',
  'agent/main.ts',
  'edge/main.ts',
  'ssh-gateway/main.ts',
  'registry/main.ts',
  'cli/main.ts',
  'host/main.ts',
  'host/dev.ts',
  'host/commands/test.ts',
];

/** Files whose import is no business of the layer that imports them beyond the type. */
export const interfaceFiles: readonly string[] = ['drivers/interface.ts'];
