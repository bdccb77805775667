/** Every way in which a request to a route's host name does not get through, in words. */
import { randomUUID } from 'node:crypto';
import type { Site } from './authorize.ts';
import { type Answer, refusal } from './pages.ts';
import type { EdgeInstance } from './state.ts';

const toConsole = (site: Site) => ({ href: `${site.consoleOrigin}/`, label: 'Open the console' });
const id = () => randomUUID();

export function unknownHost(accept: string, site: Site): Answer {
  const text = 'No desktop or server of this Berth has this address. It may have been renamed or removed.';
  return refusal(accept, 'not_found', { title: 'Nothing lives here', text, link: toConsole(site) }, id());
}

export function knowsNothing(accept: string): Answer {
  const text = 'Berth cannot reach its database and does not know who may enter. It lets nobody in until it does.';
  return refusal(accept, 'unavailable', { title: 'Not available right now', text, refreshSeconds: 5 }, id());
}

export function signInFirst(accept: string): Answer {
  const text = 'This address is private. Sign in to Berth, or send an API token as a bearer token.';
  return refusal(accept, 'unauthenticated', { title: 'Sign in first', text }, id());
}

export function notAllowed(accept: string, hostname: string, email: string, site: Site): Answer {
  const title = 'You may not enter here';
  const text = `${hostname} is private, and ${email} has no access to it.`;
  const hints = ['Ask an administrator of its organization to invite you, or sign in as somebody else.'];
  return refusal(accept, 'forbidden', { title, text, hints, link: toConsole(site) }, id());
}

export function otherSite(accept: string): Answer {
  const text = 'Another site sent this request with your sign-in. A private address takes it from its own pages only.';
  return refusal(accept, 'forbidden_origin', { title: 'Stopped', text }, id());
}

/** At the bridge: nothing that Caddy would bring. */
export function noPass(accept: string): Answer {
  const text = 'This connection has no valid pass. Open it again.';
  return refusal(accept, 'forbidden', { title: 'Stopped', text }, id());
}

/** At the bridge: allowed a moment ago, no longer. */
export function ended(accept: string, reason: string): Answer {
  return refusal(accept, 'forbidden', { title: 'You may not stay', text: reason }, id());
}

export function tooManyOpen(accept: string): Answer {
  const text = 'Too many connections are open to it, or by you. Close some.';
  return refusal(accept, 'rate_limited', { title: 'Too many connections', text }, id());
}

export function bodyOfUpgrade(accept: string): Answer {
  const text = 'A request that changes the protocol may not have a body.';
  return refusal(accept, 'invalid_input', { title: 'Stopped', text }, id());
}

export function switchedOff(accept: string): Answer {
  const text = 'Its owner has switched this address off.';
  return refusal(accept, 'not_found', { title: 'Switched off', text }, id());
}

export function unclearPath(accept: string): Answer {
  const text =
    'This address is spelled in a way that programs read differently (such as .. or // or an encoded slash), and rules of this site go by paths.';
  return refusal(accept, 'invalid_input', { title: 'Unclear address', text }, id());
}

export function noSuchPath(accept: string): Answer {
  return refusal(accept, 'not_found', { title: 'Nothing here', text: 'Nothing of this site is at this path.' }, id());
}

export function fromElsewhere(accept: string, address: string): Answer {
  const text = `This site is open to certain networks only, and ${address} is in none of them.`;
  return refusal(accept, 'forbidden', { title: 'Not from where you are', text }, id());
}

export function bodyTooLarge(accept: string, bytesMax: number): Answer {
  const text = `This site takes at most ${bytesMax / 1_000_000} MB at once.`;
  return refusal(accept, 'too_large', { title: 'Too large', text }, id());
}

/** The browser asks for user and password of the route. */
export function passwordFirst(accept: string): Answer {
  const text = 'This site asks for a user name and a password.';
  const answer = refusal(accept, 'unauthenticated', { title: 'Password needed', text }, id());
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Basic realm="site", charset="UTF-8"' } };
}

export function tooManyPasswords(accept: string): Answer {
  const text = 'Too many wrong passwords. Try again in a minute.';
  return refusal(accept, 'rate_limited', { title: 'Wait a moment', text }, id());
}

export function noAddress(accept: string, instance: EdgeInstance): Answer {
  const text = `Berth has no valid address for ${instance.name}. This is a fault of Berth; the log of edge says more.`;
  return refusal(accept, 'unavailable', { title: 'No way to it', text }, id());
}

export function notRunning(accept: string, instance: EdgeInstance | undefined, site: Site): Answer {
  const name = instance?.name ?? 'It';
  const soon = (title: string, text: string) =>
    refusal(accept, 'unavailable', { title, text, refreshSeconds: 3, link: toConsole(site) }, id());
  if (instance === undefined || instance.phase === 'archived' || instance.phase === 'purging') {
    const text = `${name} was deleted. It can be brought back in the console for a few days.`;
    return refusal(accept, 'gone', { title: 'No longer there', text, link: toConsole(site) }, id());
  }
  if (instance.phase === 'failed') {
    const text = `${name} could not be created. The console shows why.`;
    return refusal(accept, 'unavailable', { title: 'It was never finished', text, link: toConsole(site) }, id());
  }
  if (instance.phase === 'creating') return soon(`${name} is being created`, 'It opens here as soon as it is ready.');
  if (instance.observed === 'paused')
    return soon(`${name} is paused`, 'Resume it in the console; it goes on where it was.');
  if (instance.desired === 'running') return soon(`${name} is starting`, 'It opens here as soon as it answers.');
  if (instance.observed === 'stopping') return soon(`${name} is stopping`, 'Start it again in the console to use it.');
  return soon(`${name} is stopped`, 'Start it in the console; then this page opens by itself.');
}

/** The address was right, the machine runs, but nothing useful answered. `error` is the proxy's message. */
export function unreachable(accept: string, name: string, port: number, error: string): Answer {
  const page = (title: string, text: string, hints: string[]) =>
    refusal(accept, 'upstream_failed', { title, text, hints, refreshSeconds: 5 }, id());
  if (error.includes('refused')) {
    return page(`Nothing listens on port ${port} inside ${name}`, 'The machine runs, but no program answers there.', [
      'Start the program that should answer.',
      `Let it listen on 0.0.0.0 (or ::) and port ${port}, not only on 127.0.0.1.`,
      'Or point this address at another port in the console, under Routes.',
    ]);
  }
  if (/timeout|deadline|no route|unreachable|i\/o/.test(error)) {
    return page(`${name} does not answer`, `No connection to port ${port} could be made in time.`, [
      'It may be starting, very busy, or its own firewall drops connections.',
    ]);
  }
  return page(`${name} ended the connection`, `Something listens on port ${port}, but it did not answer in HTTP.`, [
    'Berth speaks plain HTTP to it and adds HTTPS itself: switch TLS off inside, or use the port without it.',
    'The log of the program may say more.',
  ]);
}
