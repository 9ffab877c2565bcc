/** Which tools of a server an agent may call: patterns of their names, with `*` for any characters. */
export interface ToolRules {
  readonly allow: readonly string[];
  /** Precedes `allow`. */
  readonly deny: readonly string[];
}

export function isAllowedTool(name: string, { allow, deny }: ToolRules): boolean {
  return allow.some((pattern) => matches(name, pattern)) && !deny.some((pattern) => matches(name, pattern));
}

/** Without a regular expression, whose time could grow with the name, which is the thread's own word. */
function matches(name: string, pattern: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= end;
}
