/**
 * Security headers of every answer of the control plane. What is no page may do nothing at all; a page runs only the
 * scripts that carry the nonce of this one answer, and what those load.
 */
import { randomBytes } from 'node:crypto';
import fastifyHelmet from '@fastify/helmet';
import type { FastifyInstance, FastifyReply } from 'fastify';

const NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What the console needs of a browser; everything else is off. */
const FEATURES = {
  'clipboard-read': 'self',
  'clipboard-write': 'self',
  fullscreen: 'self',
  'publickey-credentials-create': 'self',
  'publickey-credentials-get': 'self',
} as const;
const FEATURES_OFF = [
  'accelerometer',
  'autoplay',
  'browsing-topics',
  'camera',
  'display-capture',
  'encrypted-media',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
] as const;
const PERMISSIONS = [
  ...Object.entries(FEATURES).map(([name, who]) => `${name}=(${who})`),
  ...FEATURES_OFF.map((name) => `${name}=()`),
].join(', ');

export async function registerSecurityHeaders(server: FastifyInstance): Promise<void> {
  await server.register(fastifyHelmet, {
    global: true,
    contentSecurityPolicy: false,
    crossOriginEmbedderPolicy: false,
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
  });
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('content-security-policy', NOTHING).header('permissions-policy', PERMISSIONS);
  });
}

/** For answers to requests so broken that no hook saw them. */
export function bareHeaders(reply: FastifyReply): void {
  reply
    .header('content-security-policy', NOTHING)
    .header('x-content-type-options', 'nosniff')
    .header('x-frame-options', 'DENY')
    .header('referrer-policy', 'same-origin');
}

/**
 * Answers `html`, a page of ours whose scripts are files, with a fresh nonce on each of its scripts. Styles may be
 * inline: terminal (xterm.js), toasts and menus bring style elements of their own that take no nonce; a style cannot
 * send anything away, as pictures, fonts and connections are bound to this origin.
 */
export function sendPage(reply: FastifyReply, html: string, consoleOrigin: string): FastifyReply {
  const nonce = randomBytes(18).toString('base64url');
  const policy = [
    "default-src 'self'",
    // 'self' is for browsers that do not know 'strict-dynamic'; the others ignore it.
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'`,
    "script-src-attr 'none'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    `connect-src 'self' ${consoleOrigin.replace(/^http/, 'ws')}`,
    "worker-src 'self' blob:",
    "media-src 'self' blob:",
    "object-src 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ');
  return reply
    .header('content-security-policy', policy)
    .header('cache-control', 'no-cache')
    .type('text/html; charset=utf-8')
    .send(withNonce(html, nonce));
}

/** Marks scripts and preloaded modules; the meta element is where Vite's loader finds the nonce. */
export function withNonce(html: string, nonce: string): string {
  return html
    .replace(/<script(?=[\s>])/g, `<script nonce="${nonce}"`)
    .replace(/<link(?=[^>]*\srel="modulepreload")/g, `<link nonce="${nonce}"`)
    .replace('</head>', `<meta property="csp-nonce" nonce="${nonce}"></head>`);
}
