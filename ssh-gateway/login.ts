/**
 * Signing in at the gateway. A key proves a person by its signature, checked here; password and second factor are checked
 * by the server. Who may enter what is edge's word every time. Somebody known who may not enter now (it is stopped, the
 * name is not clear) is let in to be told why; everybody else is refused alike.
 */
import { createHash } from 'node:crypto';
import type { AuthContext, KeyboardAuthContext, PasswordAuthContext, PublicKeyAuthContext } from 'ssh2';
import type { SshSessionId, UserId } from '#domain/ids.ts';
import { SSH_ATTEMPTS_MAX, SSH_PASSWORDS_MAX, sshKeyTypes } from '#domain/ssh.ts';
import type { Admission, EdgeClient, EnterBody } from './edge-client.ts';
import type { Reports } from './reports.ts';
import type { Client, SignIn, SignInStep } from './sign-in.ts';
import { ssh2 } from './ssh2.ts';

/** `proof` is kept to ask again when edge was away. */
export type LoggedIn = {
  admission: Admission;
  proof: EnterBody['proof'];
  user: string;
  fingerprint: string | null;
};
export type LoginParts = {
  edge: EdgeClient;
  signIn: SignIn;
  reports: Pick<Reports, 'factor'>;
  session: SshSessionId;
  client: Client;
};
/** A key was proven; the second factor is outstanding. */
type KeyProven = { user: UserId; target: string; fingerprint: string };
type Method = 'publickey' | 'keyboard-interactive' | 'password';

const METHODS: Method[] = ['publickey', 'keyboard-interactive', 'password'];
const EMAIL_LENGTH_MAX = 254;
const ANSWER_LENGTH_MAX = 1_024;
const CODE_LENGTH_MAX = 100;

/** `web.shop+ada@example.com` names the account as well. */
export function splitUser(name: string): { target: string; email: string | null } {
  const plus = name.indexOf('+');
  if (plus === -1) return { target: name, email: null };
  const email = name
    .slice(plus + 1)
    .trim()
    .toLowerCase();
  return { target: name.slice(0, plus), email: email === '' || email.length > EMAIL_LENGTH_MAX ? null : email };
}

export class Login {
  readonly #o: LoginParts;
  readonly #give: (loggedIn: LoggedIn) => void;
  readonly #giveUp: (reason: string) => void;
  #attempts = 0;
  #wrong = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** Password right, code outstanding. */
  #handle: string | null = null;
  #keyProven: KeyProven | null = null;

  /** `give` is called once, before the client hears that it is in. */
  constructor(parts: LoginParts, give: (loggedIn: LoggedIn) => void, giveUp: (reason: string) => void) {
    this.#o = parts;
    this.#give = give;
    this.#giveUp = giveUp;
  }

  handle(context: AuthContext): void {
    if (++this.#attempts > SSH_ATTEMPTS_MAX) {
      this.#giveUp('too many attempts');
      return;
    }
    // One question at a time: answers must not overtake each other. When edge or the server is away nobody gets in.
    this.#turn = this.#turn.then(() => this.#one(context)).catch(() => context.reject(METHODS));
  }

  async #one(context: AuthContext): Promise<void> {
    switch (context.method) {
      case 'publickey':
        return this.#key(context);
      case 'password':
        return this.#password(context);
      case 'keyboard-interactive':
        return this.#keyboard(context);
      default:
        return context.reject(METHODS);
    }
  }

  async #key(context: PublicKeyAuthContext): Promise<void> {
    const { key, signature, blob, hashAlgo } = context;
    const weak = key.algo === 'ssh-rsa' && hashAlgo !== 'sha256' && hashAlgo !== 'sha512';
    if (weak || !sshKeyTypes.some((type) => type === key.algo)) return context.reject(METHODS);
    const fingerprint = `SHA256:${createHash('sha256').update(key.data).digest('base64').replace(/=+$/, '')}`;
    const { target } = splitUser(context.username);
    if (signature === undefined || blob === undefined) {
      return (await this.#o.edge.mayTry({ user: target, fingerprint })) ? context.accept() : context.reject(METHODS);
    }
    const parsed = ssh2.utils.parseKey(`${key.algo} ${key.data.toString('base64')}`);
    if (parsed instanceof Error || parsed.verify(blob, signature, hashAlgo) !== true) return context.reject(METHODS);
    await this.#enter(context, target, { by: 'key', fingerprint }, fingerprint);
  }

  async #enter(
    context: AuthContext,
    user: string,
    proof: EnterBody['proof'],
    fingerprint: string | null,
  ): Promise<boolean> {
    const admission = await this.#o.edge.enter({ session: this.#o.session, user, proof });
    if ('factor' in admission) {
      const isKey = fingerprint !== null;
      this.#keyProven = isKey ? { user: admission.factor.user, target: user, fingerprint } : null;
      context.reject(isKey ? ['keyboard-interactive'] : METHODS, isKey);
      return false;
    }
    if ('refused' in admission && !admission.refused.told) {
      context.reject(METHODS);
      return false;
    }
    this.#give({ admission, proof, user, fingerprint });
    context.accept();
    return true;
  }

  async #password(context: PasswordAuthContext): Promise<void> {
    const { target, email } = splitUser(context.username);
    if (email === null) return context.reject(['publickey', 'keyboard-interactive']);
    const step = await this.#o.signIn.password(this.#o.client, email, context.password.slice(0, ANSWER_LENGTH_MAX));
    if (step.next === 'factor') {
      this.#handle = step.handle;
      return context.reject(['keyboard-interactive'], true);
    }
    await this.#finish(context, target, step);
  }

  async #keyboard(context: KeyboardAuthContext): Promise<void> {
    const { target, email: named } = splitUser(context.username);
    if (this.#keyProven !== null) return this.#factor(context, this.#keyProven);
    let handle = this.#handle;
    this.#handle = null;
    if (handle === null) {
      const [first = '', second = ''] = await ask(
        context,
        named === null
          ? [
              { prompt: 'E-mail address of your account: ', echo: true },
              { prompt: 'Password: ', echo: false },
            ]
          : [{ prompt: 'Password: ', echo: false }],
      );
      const email = named ?? first.trim().toLowerCase();
      const password = named === null ? second : first;
      if (email === '' || email.length > EMAIL_LENGTH_MAX) return this.#refuse(context, null);
      const step = await this.#o.signIn.password(this.#o.client, email, password);
      if (step.next !== 'factor') return this.#finish(context, target, step);
      if (step.factors.length > 0 && !step.factors.some((factor) => factor === 'totp' || factor === 'recovery')) {
        return this.#refuse(
          context,
          'Your second factor is a passkey, which SSH cannot ask for. Use an SSH key, or set up an authenticator app.',
        );
      }
      handle = step.handle;
    }
    for (;;) {
      const [code = ''] = await ask(context, [
        { prompt: 'Code of your authenticator app (or a recovery code): ', echo: false },
      ]);
      const step: SignInStep = await this.#o.signIn.code(this.#o.client, handle, code);
      if (step.next === 'done') return this.#finish(context, target, step);
      if (++this.#wrong >= SSH_PASSWORDS_MAX) return this.#refuse(context, null);
    }
  }

  /** After a key, where the organization of the server asks for both. */
  async #factor(context: KeyboardAuthContext, { user, target, fingerprint }: KeyProven): Promise<void> {
    for (;;) {
      const [code = ''] = await ask(context, [
        { prompt: 'Code of your authenticator app (or a recovery code): ', echo: false },
      ]);
      const { address, program } = this.#o.client;
      const answer =
        code.trim() === ''
          ? 'wrong'
          : await this.#o.reports.factor({
              ...{ session: this.#o.session, user, address, client: program },
              code: code.trim().slice(0, CODE_LENGTH_MAX),
            });
      if (answer === 'right') {
        await this.#enter(context, target, { by: 'key', fingerprint }, fingerprint);
        return;
      }
      if (answer !== 'wrong') return this.#refuse(context, answer.words);
      if (++this.#wrong >= SSH_PASSWORDS_MAX) return this.#refuse(context, null);
    }
  }

  async #finish(context: AuthContext, target: string, step: Exclude<SignInStep, { next: 'factor' }>): Promise<void> {
    if (step.next === 'refused') return this.#refuse(context, step.words);
    const proof = { by: 'password', secret: step.secret } as const;
    let isIn = false;
    try {
      isIn = await this.#enter(context, target, proof, null);
    } finally {
      // The session was for this door alone.
      if (!isIn) await this.#o.signIn.signOut(this.#o.client, step.secret).catch(() => {});
    }
  }

  async #refuse(context: AuthContext, words: string | null): Promise<void> {
    if (words !== null && context.method === 'keyboard-interactive') await ask(context, [], words);
    this.#wrong++;
    context.reject(METHODS);
    if (this.#wrong >= SSH_PASSWORDS_MAX) this.#giveUp('too many wrong passwords');
  }
}

function ask(
  context: KeyboardAuthContext,
  prompts: { prompt: string; echo: boolean }[],
  instruction = '',
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    context.once('abort', () => reject(new Error('aborted')));
    context.prompt(prompts as never, '', instruction, (answers: string[]) =>
      resolve((answers ?? []).map((answer) => answer.slice(0, ANSWER_LENGTH_MAX))),
    );
  });
}
