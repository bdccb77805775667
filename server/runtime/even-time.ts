/** Answers that must not tell by their time what was found. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Well above what either case takes. */
export const EVEN_ANSWER_MS = 250;

/** Runs `work` and answers no earlier than EVEN_ANSWER_MS after it began, also when it fails. */
export async function evenly<T>(work: () => Promise<T>, ms: number = EVEN_ANSWER_MS): Promise<T> {
  const pause = sleep(ms);
  try {
    return await work();
  } finally {
    await pause;
  }
}
