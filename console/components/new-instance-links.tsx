/** The two ways to start: a desktop or a server. */
import { Link } from '@tanstack/react-router';
import { Monitor, Server } from 'lucide-react';
import { buttonClass } from '../ui/button.tsx';

export function NewInstanceLinks({ slug }: { slug: string }) {
  return (
    <>
      <Link
        to="/p/$project/instances/new"
        params={{ project: slug }}
        search={{ kind: 'server' }}
        className={buttonClass()}
      >
        <Server /> New server
      </Link>
      <Link
        to="/p/$project/instances/new"
        params={{ project: slug }}
        search={{ kind: 'desktop' }}
        className={buttonClass('primary')}
      >
        <Monitor /> New desktop
      </Link>
    </>
  );
}
