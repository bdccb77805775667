import { Link } from '@tanstack/react-router';

/** The way from the root to here; every part is a link. */
export function PathBar({ path, to }: { path: string; to: (path: string) => string }) {
  const parts = path === '/' ? [] : path.slice(1).split('/');
  return (
    <nav aria-label="Folder" className="mono flex min-w-0 flex-wrap items-center text-sm">
      <Link
        to={to('/')}
        className="inline-flex min-h-6 min-w-6 items-center justify-center rounded px-1 text-accent hover:underline"
      >
        /
      </Link>
      {parts.map((part, index) => {
        const at = `/${parts.slice(0, index + 1).join('/')}`;
        const last = index === parts.length - 1;
        return (
          <span key={at} className="flex min-w-0 items-center">
            {index === 0 ? null : <span className="text-faint">/</span>}
            {last ? (
              <span aria-current="location" className="break-all px-1 font-medium">
                {part}
              </span>
            ) : (
              <Link
                to={to(at)}
                className="inline-flex min-h-6 min-w-6 items-center break-all rounded px-1 text-accent hover:underline"
              >
                {part}
              </Link>
            )}
          </span>
        );
      })}
    </nav>
  );
}
