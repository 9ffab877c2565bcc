/** Begins what is not written as it is. */
const MARK = '\u0001';

/**
 * A name that a user has chosen, as it stands in a column. Node 22 reads a text up to its first NUL, and a file is read by
 * other versions than have written it: so a name with one is written as JSON.
 */
export function toNameColumn(name: string): string {
  return name.includes('\0') || name.startsWith(MARK) ? MARK + JSON.stringify(name) : name;
}

export function fromNameColumn(column: string): string {
  return column.startsWith(MARK) ? (JSON.parse(column.slice(MARK.length)) as string) : column;
}
