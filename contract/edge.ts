/**
 * What edge offers under /edge/v1 on the control plane (cookie or bearer authentication, same rights as the API):
 * WebSockets for screens, terminals and followed logs, and the thumbnail of a desktop. Frames of each are below.
 */
import { z } from 'zod';
import { idSchema } from './common.ts';

export const EDGE_PREFIX = '/edge/v1';

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
export const logsQuery = z.object({ lines: z.coerce.number().int().min(0).max(2000).default(200) });

/** GET. image/png, at most THUMBNAIL_WIDTH wide; 404 while there is no picture. */
export const THUMBNAIL_WIDTH = 480;

/** Why edge closed a WebSocket. */
export const closeCodes = {
  signedOut: 4401,
  forbidden: 4403,
  notRunning: 4409,
  upstream: 4502,
} as const;

export const edgeParams = z.object({ instance: idSchema('ins') });
