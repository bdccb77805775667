/** Lives of sessions, tokens and sign-ins of programs, and the code that people type. */

/** A browser session ends when nobody used it for this long, and in any case after SESSION_HOURS. */
export const SESSION_IDLE_MINUTES = 120;
/** Requests under way when a session's secret was renewed may still read with the old one. */
export const RENEWAL_GRACE_SECONDS = 5;
/** A program that signed in with a code stays signed in for so long, if it is used. */
export const CLIENT_SESSION_DAYS = 90;
/** It ends when it was not used for this long. */
export const REFRESH_TOKEN_DAYS = 30;
export const ACCESS_TOKEN_MINUTES = 10;

/** How long a program waits for somebody to confirm its code. */
export const DEVICE_LOGIN_MINUTES = 10;
/** Seconds between two questions of a waiting program; one that asks sooner has to wait this much longer. */
export const DEVICE_POLL_SECONDS = 5;
/** Codes that wait for somebody, from one address: a bound against filling the table. */
export const DEVICE_LOGINS_OPEN_MAX = 20;

/** Programs that may sign in with a code. They hold no secret. */
export const oauthClients = ['berth-cli'] as const;
export type OAuthClient = (typeof oauthClients)[number];

/** Consonants without look-alikes: no words, nothing to mistake (RFC 8628, 6.1). 20 letters, 8 places: 34 bits. */
const CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LENGTH = 8;

/** `BCDF-GHJK`. `random` yields the asked number of random bytes. */
export function makeUserCode(random: (bytes: number) => Uint8Array): string {
  let text = '';
  while (text.length < CODE_LENGTH) {
    // 240 is the largest multiple of 20 in a byte: the rest would favour the first letters.
    for (const byte of random(16)) if (byte < 240 && text.length < CODE_LENGTH) text += CODE_LETTERS.charAt(byte % 20);
  }
  return `${text.slice(0, 4)}-${text.slice(4)}`;
}

/** As typed by people: case, spaces and dashes do not matter. Null: cannot be one. */
export function normaliseUserCode(typed: string): string | null {
  const plain = typed.toUpperCase().replace(/[\s-]/g, '');
  if (plain.length !== CODE_LENGTH || ![...plain].every((letter) => CODE_LETTERS.includes(letter))) return null;
  return `${plain.slice(0, 4)}-${plain.slice(4)}`;
}

/** 'Mozilla/5.0 (X11; Linux x86_64) ... Chrome/156.0' -> 'Chrome on Linux'. */
export function describeUserAgent(agent: string): string {
  const browser = /Edg\//.test(agent)
    ? 'Edge'
    : /OPR\//.test(agent)
      ? 'Opera'
      : /Firefox\//.test(agent)
        ? 'Firefox'
        : /Chrome\//.test(agent)
          ? 'Chrome'
          : /Safari\//.test(agent)
            ? 'Safari'
            : /^berth/i.test(agent)
              ? 'berth CLI'
              : (agent.split(/[ /]/)[0] ?? '') || 'Unknown program';
  const system = /Windows/.test(agent)
    ? 'Windows'
    : /Android/.test(agent)
      ? 'Android'
      : /iPhone|iPad/.test(agent)
        ? 'iOS'
        : /CrOS/.test(agent)
          ? 'ChromeOS'
          : /Mac OS X|darwin/.test(agent)
            ? 'macOS'
            : /Linux|linux/.test(agent)
              ? 'Linux'
              : '';
  return system === '' ? browser : `${browser} on ${system}`;
}
