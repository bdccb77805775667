/** Facts about the machine that processes of this installation share. Not for the console. */
import { networkInterfaces } from 'node:os';

/** True for loopback and for every address of this machine's interfaces: whoever is on the machine itself. */
export function isOwnAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  if (plain === '::1' || /^127\.\d+\.\d+\.\d+$/.test(plain)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === plain));
}
