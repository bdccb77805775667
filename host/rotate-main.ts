/** `node host/rotate-main.ts <logs>`: one round of rotation, started by a systemd timer. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rotate } from './rotate.ts';

const dir = process.argv[2] ?? '';
for (const name of readdirSync(dir)) if (name.endsWith('.log')) rotate(join(dir, name));
