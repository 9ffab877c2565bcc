import { isMarker } from '../secrets-audit/markers.ts';

/** What stands under the name of a credential and is none. */
export type Marker =
  /** The name of a variable of the environment, which has the value; and what was to be taken without it. */
  | { readonly kind: 'variable'; readonly variable: string; readonly fallback?: string }
  /** It is said where the value is, in a way that no grant has. */
  | { readonly kind: 'elsewhere' };

const NAME = '[A-Za-z_][A-Za-z0-9_]*';
/** Without braces around it, what begins with a dollar may be a password. */
const CAPITALS = '[A-Z_][A-Z0-9_]*';

/** Each has the name of the variable as its first group, and what is taken without it as its second. */
const VARIABLES: readonly RegExp[] = [
  new RegExp(`^\\$(${CAPITALS})$`),
  new RegExp(`^\\$\\{\\s*(?:env[:.])?(${NAME})\\s*\\}$`),
  new RegExp(`^\\$\\{(${NAME}):?[-=](.*)\\}$`, 's'),
  new RegExp(`^\\$\\{(${NAME}):?[?+].*\\}$`, 's'),
  new RegExp(`^\\{\\{\\s*(?:\\$?env[:.])?(${CAPITALS})\\s*\\}\\}$`),
  new RegExp(`^%(${CAPITALS})%$`),
  new RegExp(`^(?:secretref-env:|env:|\\$env:|env://|os\\.environ/|process\\.env\\.)(${NAME})$`, 'i'),
];

const WORD_OF_CAPITALS = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;

const ELSEWHERE = [
  /^(?:\.{0,2}\/|~\/|[A-Za-z]:\\)/,
  /^(?:arn|file|vault|op|sops|secret|aws-sm|gcp-sm|ssm|keyring|keychain|bws|ref\+[a-z]+):/,
  /^\$\(.*\)$/s,
];

/** What a value says of where another one is; undefined for what says nothing of it. */
export function markerOf(value: string): Marker | undefined {
  const written = value.trim();
  for (const form of VARIABLES) {
    const [, variable, fallback] = form.exec(written) ?? [];
    if (variable !== undefined) return { kind: 'variable', variable, ...(fallback && { fallback }) };
  }
  if (!isMarker(written)) return undefined;
  if (WORD_OF_CAPITALS.test(written)) return { kind: 'variable', variable: written };
  return ELSEWHERE.some((form) => form.test(written)) ? { kind: 'elsewhere' } : undefined;
}
