/** What the gateway speaks: no SHA-1, no NIST curves, no MAC beside encrypt-then-MAC, no compression. */
import type { ServerConfig } from 'ssh2';

export const algorithms = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'diffie-hellman-group16-sha512'],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
} as const satisfies NonNullable<ServerConfig['algorithms']>;

/** Kinds of host keys: of the gateway itself (the first), and of servers. */
export const hostKeyTypes = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'] as const;
