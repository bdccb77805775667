/**
 * What edge offers under /edge/v1 on the control plane (cookie or bearer authentication, same rights as the API):
 * WebSockets for screens, terminals and followed logs, and the thumbnail of a desktop. Frames of each are below.
 */
import { z } from 'zod';
import { logSourceSchema } from './common.ts';

export const EDGE_PREFIX = '/edge/v1';

/** Where they are; `:instance` is an instance id. `signIn` is the page that lends a sign-in to a route's host name. */
export const edgePaths = {
  screen: `${EDGE_PREFIX}/instances/:instance/screen`,
  terminal: `${EDGE_PREFIX}/instances/:instance/terminal`,
  logs: `${EDGE_PREFIX}/instances/:instance/logs`,
  thumbnail: `${EDGE_PREFIX}/instances/:instance/thumbnail`,
  signIn: `${EDGE_PREFIX}/sign-in`,
} as const;

/** The path of one instance, such as '/edge/v1/instances/ins_.../screen'. */
export function edgePath(kind: 'screen' | 'terminal' | 'logs' | 'thumbnail', instance: string): string {
  return edgePaths[kind].replace(':instance', instance);
}

/** Cookie of the console (set by the server) and of one private route's host name (set by edge); both hold secrets. */
export const SESSION_COOKIE = '__Host-berth';
export const ROUTE_COOKIE = '__Host-berth-route';
/** Every API token starts with it; the database keeps the sha256 of the whole token, prefix included. */
export const API_TOKEN_PREFIX = 'brt_';

/**
 * Pages of the console that edge sends people to: sign-in takes `?return=<path on the console's own origin>` (follow it
 * with a full page load afterwards), the screen page shows one desktop in the whole window.
 */
export const CONSOLE_SIGN_IN_PATH = '/sign-in';
export const CONSOLE_SCREEN_PATH = '/screen/:instance';

/** GET (WebSocket, binary frames, RFB with security type None). `view_only=1` drops key, pointer and clipboard from the client. */
export const screenQuery = z.object({ view_only: z.enum(['0', '1']).default('0') });

/**
 * GET (WebSocket). Binary frames are terminal bytes both ways; text frames are JSON control messages. A terminal lives
 * on for TERMINAL_DETACHED_SECONDS_MAX after the socket closed and replays its scrollback to whoever attaches with the
 * same `session` (same person, same instance only).
 */
export const terminalQuery = z.object({
  session: z.string().regex(/^[A-Za-z0-9_-]{8,64}$/),
  user: z.enum(['berth', 'root']).default('berth'),
  cols: z.coerce.number().int().min(20).max(500).default(80),
  rows: z.coerce.number().int().min(5).max(200).default(24),
});
export const TERMINAL_SCROLLBACK_BYTES_MAX = 256 * 1024;
export const TERMINAL_DETACHED_SECONDS_MAX = 600;
export const terminalClientMessage = z.strictObject({
  type: z.literal('resize'),
  cols: z.number().int().min(20).max(500),
  rows: z.number().int().min(5).max(200),
});
export const terminalServerMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), session: z.string(), user: z.string(), resumed: z.boolean() }),
  z.object({ type: z.literal('exit'), code: z.number().int() }),
  z.object({ type: z.literal('error'), message: z.string() }),
]);

/** GET (WebSocket). One JSON log entry per text frame. */
export const logsQuery = z.object({
  lines: z.coerce.number().int().min(0).max(2000).default(200),
  of: logSourceSchema.optional(),
});

/** GET. image/png, at most THUMBNAIL_WIDTH wide; 404 while there is no picture. */
export const THUMBNAIL_WIDTH = 480;

/** Why edge closed a WebSocket. */
export const closeCodes = {
  signedOut: 4401,
  forbidden: 4403,
  notRunning: 4409,
  /** Somebody (the same person) attached to this terminal from another window. */
  replaced: 4408,
  /** Too many connections of this person or to this instance. */
  tooMany: 4429,
  upstream: 4502,
} as const;
