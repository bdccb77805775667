/** Any ACME authority, by the npm package acme-client; loaded when the first certificate is wanted. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import type { Client, Order } from 'acme-client';
import { type AcmeAccount, type AcmeClient, type AcmeDirectory, AcmeError } from './interface.ts';

const POLLS = 12;
const POLL_FIRST_MS = 500;
const POLL_LAST_MS = 5_000;
const ANSWER_MS_MAX = 20_000;
const REASON_LENGTH_MAX = 400;

export function acmeClient({ directory, email, caFile }: AcmeDirectory): AcmeClient {
  const load = async () => {
    const { default: acme } = await import('acme-client');
    acme.axios.defaults.timeout = ANSWER_MS_MAX;
    // The keeper tries again; nobody waits here.
    (acme.axios.defaults as { acmeSettings?: { retryMaxAttempts: number } }).acmeSettings!.retryMaxAttempts = 1;
    if (caFile !== null) acme.axios.defaults.httpsAgent = new Agent({ ca: await readFile(caFile) });
    return acme;
  };
  const clientOf = async (account: AcmeAccount): Promise<Client> => {
    const acme = await load();
    return new acme.Client({
      directoryUrl: directory,
      accountKey: account.keyPem,
      ...(account.url === '' ? {} : { accountUrl: account.url }),
      backoffAttempts: POLLS,
      backoffMin: POLL_FIRST_MS,
      backoffMax: POLL_LAST_MS,
    });
  };

  return {
    async register() {
      const acme = await load();
      const keyPem = (await acme.crypto.createPrivateEcdsaKey()).toString();
      const client = await clientOf({ url: '', keyPem });
      await told(
        client.createAccount({
          termsOfServiceAgreed: true,
          ...(email === null ? {} : { contact: [`mailto:${email}`] }),
        }),
      );
      return { url: client.getAccountUrl(), keyPem };
    },

    async makeKey() {
      return (await (await load()).crypto.createPrivateEcdsaKey()).toString();
    },

    async order(account, names) {
      const client = await clientOf(account);
      const identifiers = names.map((value) => ({ type: 'dns', value }));
      return (await told(client.createOrder({ identifiers }))).url;
    },

    async finish(account, { url, names, keyPem }, show, proven) {
      const acme = await load();
      const client = await clientOf(account);
      let order = await told(client.getOrder({ url } as Order));
      if (order.status === 'pending') {
        const open = (await told(client.getAuthorizations(order))).filter(
          (authorization) => authorization.status === 'pending',
        );
        const challenges = open.map((authorization) => {
          const found = authorization.challenges.find((challenge) => challenge.type === 'dns-01');
          if (found === undefined) throw new AcmeError('refused', 'The authority takes no proof by DNS for this name.');
          return found;
        });
        if (challenges.length > 0) {
          await show(await Promise.all(challenges.map((challenge) => client.getChallengeKeyAuthorization(challenge))));
        }
        for (const challenge of challenges) await told(client.completeChallenge(challenge));
        for (const challenge of challenges) await told(client.waitForValidStatus(challenge));
        order = await told(client.getOrder(order));
      }
      if (order.status === 'ready') {
        await proven();
        const [, csr] = await acme.crypto.createCsr({ altNames: [...names] }, keyPem);
        order = await told(client.finalizeOrder(order, csr));
      }
      if (order.status === 'processing') order = await told(client.waitForValidStatus(order));
      if (order.status !== 'valid')
        throw new AcmeError('refused', `The authority has given the order up (${order.status}).`);
      const chainPem = await told(client.getCertificate(order));
      const leaf = new X509Certificate(chainPem);
      const issuer = /^O=(.+)$/m.exec(leaf.issuer)?.[1] ?? /^CN=(.+)$/m.exec(leaf.issuer)?.[1] ?? '';
      return {
        chainPem,
        issuer: issuer.slice(0, 200),
        notBefore: new Date(leaf.validFrom),
        notAfter: new Date(leaf.validTo),
      };
    },
  };
}

/** What the authority said to it, as AcmeError. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const error = cause as { message?: string; code?: string; response?: { status?: number } };
    const message = (error.message ?? String(cause)).replace(/[\p{C}\s]+/gu, ' ').slice(0, REASON_LENGTH_MAX);
    const status = error.response?.status;
    const isAway = error.code !== undefined || status === 429 || (status !== undefined && status >= 500);
    throw new AcmeError(
      isAway ? 'retry' : 'refused',
      isAway ? `The authority does not answer: ${message}` : `The authority refused: ${message}`,
      { cause },
    );
  }
}
