/** A small import scanner: which modules a TypeScript file names. Comments and strings that look like imports do not count. */

/** Specifiers of static imports, re-exports and `import()` with a literal. */
export function importsOf(source: string): string[] {
  const text = withoutComments(source);
  const found: string[] = [];
  const patterns = [
    /(?:^|[;\n}])\s*(?:import|export)\s+(?:type\s+)?(?:[\w$*{}\s,]+?\s+from\s+)?['"]([^'"\n]+)['"]/g,
    /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g,
  ];
  for (const pattern of patterns)
    for (const match of text.matchAll(pattern)) if (match[1] !== undefined) found.push(match[1]);
  return found;
}

/** Blanks comments and the inside of template literals; keeps ordinary strings, which hold the specifiers. */
export function withoutComments(source: string): string {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return source.replace(pattern, (piece) => {
    if (piece.startsWith('//') || piece.startsWith('/*')) return piece.replace(/[^\n]/g, ' ');
    return piece.startsWith('`') ? `\`${piece.slice(1, -1).replace(/[^\n]/g, ' ')}\`` : piece;
  });
}
