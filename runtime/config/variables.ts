import type { ConfigPath, Finding } from './finding.ts';

/** `${NAME}`; with a second `$` before it, the text itself. */
const REFERENCE = /\$(\$?)\{([A-Z_][A-Z0-9_]*)\}/g;

const ALONE = /^\$\{[A-Z_][A-Z0-9_]*\}$/;

/** Shorter values say nothing, and to look for them in a message would garble it. */
const SHORTEST_HIDDEN = 4;

/** A config with its variables filled in. */
export interface Substituted {
  readonly value: unknown;
  /** The variables that are not set, where they stand. */
  readonly findings: readonly Finding[];
  /** Where a text was one variable and nothing else: it may stand for what is no text. */
  readonly alone: readonly ConfigPath[];
  /** A text without the values that were filled in: what stood there is what it shows. */
  readonly hide: (text: string) => string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Fills in `${NAME}` in every text of a value, not in keys. */
export function substitute(root: unknown, env: Environment): Substituted {
  const findings: Finding[] = [];
  const filled = new Map<string, string>();
  const alone: ConfigPath[] = [];
  const inText = (text: string, path: ConfigPath): string =>
    text.replaceAll(REFERENCE, (reference, escape: string, name: string) => {
      if (escape !== '') return reference.slice(1);
      const value = env[name];
      if (value !== undefined) {
        if (value.length >= SHORTEST_HIDDEN) filled.set(value, reference);
        return value;
      }
      const message = `the variable ${name} is not set; set it (Holdfast reads no .env file: node --env-file=.env does), or write $$\{${name}} for the text itself`;
      findings.push({ code: 'missing-variable', path, at: 'value', message });
      return reference;
    });
  const walk = (value: unknown, path: ConfigPath): unknown => {
    if (typeof value === 'string') {
      if (ALONE.test(value)) alone.push(path);
      return value.includes('${') ? inText(value, path) : value;
    }
    if (Array.isArray(value)) return value.map((item, n) => walk(item, [...path, n]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, walk(member, [...path, key])]),
    );
  };
  const value = walk(root, []);
  const longestFirst = [...filled].toSorted(([a], [b]) => b.length - a.length);
  const hide = (text: string): string =>
    longestFirst.reduce(
      (shown, [secret, reference]) =>
        shown.replaceAll(JSON.stringify(secret).slice(1, -1), reference).replaceAll(secret, reference),
      text,
    );
  return { value, findings, alone, hide };
}
