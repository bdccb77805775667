/** The answer to a VNC password challenge (RFC 6143, 7.2.2): DES with the bits of every key byte reversed. */
import { createCipheriv } from 'node:crypto';

export const VNC_PASSWORD_BYTES = 8;

function reverseBits(byte: number): number {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) result |= 0x80 >> bit;
  return result;
}

/**
 * Encrypts 8-byte blocks with single DES. OpenSSL 3 offers only triple DES without its legacy provider; with the same
 * key three times (encrypt, decrypt, encrypt) that is single DES.
 */
export function desEncrypt(key: Uint8Array, blocks: Uint8Array): Buffer {
  if (key.byteLength !== 8 || blocks.byteLength % 8 !== 0)
    throw new RangeError('DES takes an 8-byte key and 8-byte blocks');
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(blocks), cipher.final()]);
}

/** The 16 bytes to send for a 16-byte challenge; passwords longer than 8 bytes are cut, as every server does. */
export function vncResponse(password: string, challenge: Uint8Array): Buffer {
  if (challenge.byteLength !== 16) throw new RangeError('a VNC challenge has 16 bytes');
  const key = Buffer.alloc(VNC_PASSWORD_BYTES);
  Buffer.from(password, 'utf8').copy(key, 0, 0, VNC_PASSWORD_BYTES);
  return desEncrypt(key.map(reverseBits), challenge);
}
