import { placeholderReason } from '../secrets/placeholders.ts';
import type { NamedValue } from './named-values.ts';

/** A name ends so when what it names is a credential; `tokenFile` and `maxTokens` do not. */
const CREDENTIAL_NAME =
  /(?:^|[a-z0-9_.-])(?:api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret|secret|(?:auth|access|refresh|bot|bearer|api|session)?[_-]?token|password|passwd|passphrase|pwd|credentials?|webhook[_-]?url)$/i;

/** A name of a variable, a path, or a reference: it says where the value is. */
const ELSEWHERE = [
  /^\$\{?[A-Za-z_]\w*\}?$/,
  /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/,
  /^(?:\.{0,2}\/|~\/|[A-Za-z]:\\)/,
  /^(?:arn|file|env|vault|op|sops|secret|aws-sm|gcp-sm):/,
];

const urlWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^\s:/@]+:([^\s@/]+)@/i;

export type Judgement = { readonly kind: string; readonly isPlaceholder: boolean };

/** What a value is by its name, or by a password in it; undefined for what is no credential. */
export function judge({ name, value }: Pick<NamedValue, 'name' | 'value'>): Judgement | undefined {
  const password = urlWithPassword.exec(value)?.[1];
  if (password !== undefined && !isElsewhere(password))
    return { kind: 'a URL with a password', isPlaceholder: isPlaceholder(password) };
  if (!isCredentialName(name) || value.trim() === '' || isElsewhere(value)) return undefined;
  // What is on or off, and what counts, is no credential.
  if (/^(?:true|false|yes|no|on|off|none|null|auto|required|optional|\d{1,6})$/i.test(value))
    return undefined;
  return { kind: `"${name}"`, isPlaceholder: isPlaceholder(value) };
}

export function isCredentialName(name: string): boolean {
  return CREDENTIAL_NAME.test(name);
}

function isElsewhere(value: string): boolean {
  return ELSEWHERE.some((pattern) => pattern.test(value.trim()));
}

function isPlaceholder(value: string): boolean {
  return placeholderReason(Buffer.from(value)) !== undefined;
}
