/** The order of code points, in which SQLite and Postgres (`collate "C"`) have text, and in which `<` of strings is not. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
