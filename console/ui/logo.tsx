/** The mark: a mooring bollard's bow line over water. */
export function Logo({ className = 'size-6' }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b6e82" />
      <path d="M9 9v8.500a7 7 0 0 0 14 0V9" fill="none" stroke="#fff" strokeWidth="2.800" strokeLinecap="round" />
      <circle cx="16" cy="9.500" r="2.700" fill="#8fe0e8" />
      <path
        d="M6 25.500c2.500 0 2.500 1.500 5 1.500s2.500-1.500 5-1.500 2.500 1.500 5 1.500 2.500-1.500 5-1.500"
        fill="none"
        stroke="#8fe0e8"
        strokeWidth="2"
        strokeLinecap="round"
      />
    </svg>
  );
}
