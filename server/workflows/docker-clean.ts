/** Removes what nobody uses in the Docker of a server, one kind after the other, and says what that freed. */
import { type CleanPart, cleanParts, reclaimedBytes } from '#domain/stacks.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { endInside, runInside } from './guest-run.ts';

export type DockerCleanInput = { parts: CleanPart[] };

const words: Record<CleanPart, string> = {
  containers: 'stopped containers',
  networks: 'networks',
  images: 'images',
  cache: 'build cache',
  volumes: 'volumes',
};

const chosen = ({ operation }: StepContext<DockerCleanInput>) =>
  cleanParts.filter((part) => operation.input.parts.includes(part));

async function endAll(context: StepContext<DockerCleanInput>): Promise<void> {
  for (const part of chosen(context)) await endInside(context, part);
}

/** What is removed cannot come back: undo only forgets the commands. */
const cleanStep: Step<DockerCleanInput> = {
  name: 'clean',
  title: 'Remove what nobody uses',
  async do(context) {
    let freed = 0;
    for (const part of chosen(context)) {
      context.report(null, `Removing ${words[part]}`);
      const { lines } = await runInside(context, { type: 'clean', part });
      freed += reclaimedBytes(lines.join('\n'));
    }
    context.report(100, `${bytesText(freed)} freed`);
  },
  undo: endAll,
};

/** No undo: nothing is left to take back. */
const forgetStep: Step<DockerCleanInput> = { name: 'forget', title: 'Clear up behind it', do: endAll };

/** As Docker counts: 1,000 to the next unit. */
function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

export const dockerClean: Workflow<DockerCleanInput> = { steps: [cleanStep, forgetStep] };
