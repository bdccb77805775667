/** Bounded log files. The writer keeps its descriptor (append mode), so the content is copied away and the file emptied. */
import { copyFileSync, existsSync, renameSync, statSync, truncateSync } from 'node:fs';

export const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024;
export const LOG_FILES_KEPT = 3;

/** Rotates `file` when it is larger than `maxBytes`: file.1 is the newest of `LOG_FILES_KEPT` old ones. */
export function rotate(file: string, maxBytes: number = LOG_FILE_BYTES_MAX): boolean {
  try {
    if (statSync(file).size <= maxBytes) return false;
    for (let n = LOG_FILES_KEPT - 1; n >= 1; n--) {
      if (existsSync(`${file}.${n}`)) renameSync(`${file}.${n}`, `${file}.${n + 1}`);
    }
    copyFileSync(file, `${file}.1`);
    truncateSync(file, 0);
    return true;
  } catch {
    // No log file yet, or a full disk: the next round tries again.
    return false;
  }
}
