/** The second factor in a terminal: which answer is it, and asking for one. Passkeys need a browser. */
import type { OutputOf } from './client.ts';
import { CliError } from './errors.ts';
import type { Runtime } from './runtime.ts';

type Kind = Extract<OutputOf<'signIn'>, { next: 'factor' }>['factors'][number];
export type CodeAnswer = { type: 'totp' | 'recovery'; code: string };

/** Six digits are the app's, everything else is taken for a recovery code. */
export function codeAnswer(typed: string): CodeAnswer {
  const code = typed.trim();
  return { type: /^[0-9]{6}$/.test(code.replace(/\s/g, '')) ? 'totp' : 'recovery', code };
}

/** `given` is what `--code` said. Errors: CliError when nobody can be asked, or nothing but a passkey would do. */
export async function askCode(berth: Runtime, kinds: readonly Kind[], given: string | undefined): Promise<CodeAnswer> {
  const typed = kinds.filter((kind) => kind !== 'passkey');
  if (typed.length === 0) {
    throw new CliError('notSignedIn', 'Your second factor is a passkey, and a terminal cannot ask for one.', {
      code: 'unauthenticated',
      hint: 'Make a token in the console (Account, API tokens) and hand it to: berth login --token-stdin',
    });
  }
  if (given !== undefined) return codeAnswer(given);
  if (berth.io.stdin.isTTY !== true) {
    throw new CliError('notSignedIn', 'This account has a second factor, and nobody can be asked here.', {
      code: 'unauthenticated',
      hint: 'Add --code CODE: six digits of the authenticator app, or a recovery code.',
    });
  }
  const words = typed.includes('totp') ? 'Code of your authenticator app, or a recovery code: ' : 'Recovery code: ';
  return codeAnswer(await berth.ask(words));
}
