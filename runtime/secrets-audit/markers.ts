/** What stands where a credential could, and is none: it says where the value is, or that there is none. */

/** Switches, and what OpenClaw and local model servers take for a key where none is needed. */
const words = new Set(
  ['true', 'false', 'yes', 'no', 'on', 'off', 'none', 'null', 'nil', 'undefined', 'unset', 'empty']
    .concat(['n/a', 'na', 'auto', 'default', 'required', 'optional', 'disabled', 'enabled', 'inherit'])
    .concat(['prompt', 'ask', 'env', 'file', 'keychain', 'keyring', 'managed', 'unused', 'anonymous'])
    .concat(['same-origin', 'include', 'omit', 'not-needed', 'not-required', 'no-key', 'no-key-required'])
    .concat(['sk-no-key-required', 'ollama', 'ollama-local', 'lmstudio', 'lm-studio', 'vllm', 'llama.cpp'])
    .concat(['codex-app-server', 'gcp-vertex-credentials', 'secretref-managed', 'custom-local', 'aws-sdk']),
);

const forms: readonly RegExp[] = [
  // `$NAME` and `$name`; `$ecret99` may be a password.
  /^\$(?:[A-Z_][A-Z0-9_]{0,127}|[A-Za-z_]{1,64})$/,
  // `${X}`, `${env:X}`, `${{ secrets.X }}`.
  /^\$\{\{?[ ]{0,8}[A-Za-z_]\w{0,127}(?:[.:/][A-Za-z_][\w./-]{0,127})?[ ]{0,8}\}?\}$/,
  // `$(command)` and the older form of it.
  /^\$\([^]{0,1024}\)$/,
  /^`[^`]{0,1024}`$/,
  /^(?:process\.env|import\.meta\.env|os\.environ|env)[.[]/,
  /^(?:arn|file|env|vault|op|sops|secret|aws-sm|gcp-sm|ssm|keyring|keychain|bws|oauth|ref\+[a-z]{1,16}):/,
  /^secretref-/,
  // `minimax-oauth`, `custom-local`.
  /^[a-z]{1,16}(?:-[a-z]{1,16}){0,3}-(?:oauth|local|managed)$/,
  // A type of Kubernetes.
  /^[a-z-]{1,32}(?:\.[a-z-]{1,16}){1,3}\/[a-z-]{1,32}$/,
  // What is encrypted: SOPS, Jasypt, Spring. And the half of a key that is no secret.
  /^(?:ENC[[(]|\{cipher\})/,
  /^(?:ssh-[a-z0-9]{2,16}|ecdsa-sha2-\S{1,32}|sk-(?:ssh|ecdsa)-\S{1,48}) AAAA|^age1[a-z0-9]{58}$/,
  // What packages are at: `"js-tokens": "^4.0.0"`.
  /^[~^<>=v]{0,2}\d{1,5}(?:\.\d{1,5}){2}(?:[-+][\w.-]{1,64})?$|^(?:workspace|npm|link|catalog):/,
  // What tests write: `test-token`, `sk-fake`, `abc123`.
  /^(?:[a-z]{1,4}[-_])?(?:test|fake|mock|stub)(?:[-_ ](?:api|access|auth|bot|client|secret))?(?:[-_ ](?:key|token|secret|value))?(?:[-_]?\d{1,6})?$/i,
  /^(?:example|sample|dummy)(?:[-_ ](?:api|access|auth|bot|client|secret))?[-_ ](?:key|token|secret|value)(?:[-_]?\d{1,6})?$/i,
  /^(?:abc|foo|bar|foobar|token|key)[-_]?\d{0,6}$/i,
];

/** The name of a variable has few digits, other than what is random. */
const variable = /^[A-Z][A-Z0-9]{0,31}(?:_[A-Z0-9]{1,31}){1,8}$/;
const withDefault = /^\$\{[A-Za-z_]\w{0,127}:?[-+?=]([^{}]{0,512})\}$/;
const path = /^(?:\.{0,2}\/|~\/|[A-Za-z]:\\)/;

/** Whether a value stands for one elsewhere, or for none. */
export function isMarker(value: string): boolean {
  const text = value.trim();
  if (words.has(text.toLowerCase()) || forms.some((form) => form.test(text))) return true;
  if (variable.test(text)) return text.replaceAll(/\D/g, '').length <= 4;
  const rest = text.replaceAll(/\$\{[A-Za-z_]\w{0,127}\}/g, '');
  if (rest !== text && rest.length <= 32 && !/\d/.test(rest)) return true;
  const fallback = withDefault.exec(text)?.[1];
  if (fallback !== undefined) return !looksRandom(fallback);
  return path.test(text) && !text.split(/[/\\]/).some(looksRandom);
}

/** Words and nothing else: `my-own-key`, `Required`. */
export function isWords(value: string): boolean {
  return /^(?:[A-Z]?[a-z]{1,16}|[A-Z]{1,16})(?:[-_./: ](?:[A-Z]?[a-z]{1,16}|[A-Z]{1,16})){0,15}$/.test(value);
}

/** Whether a value looks like what was made by chance, and like no name, date, host, path or version. */
export function looksRandom(value: string): boolean {
  if (value.length < 12 || value.length > 4096 || /\s/.test(value)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  // An address, an id with its kind, a model, a host, a UUID.
  if (/^[a-z][a-z+.-]{0,31}:/.test(value) || /^[\w.+-]{1,64}@[\w.-]{1,128}$/.test(value)) return false;
  if (/^[a-z0-9_.-]{1,64}\/[a-z0-9_.:-]{1,64}$/.test(value)) return false;
  if (/^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?::\d{1,5})?$/.test(value)) return false;
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) return false;
  const isMixed = value.length >= 14 && /[a-z]/.test(value) && /[A-Z]/.test(value) && /\d.*\d/.test(value);
  return isMixed || value.split(/[^A-Za-z0-9]/).some(isRandomPart);
}

/** Four digits, or letters and digits in turn: not `Float32Array`. */
function isRandomPart(part: string): boolean {
  const digits = part.match(/\d/g)?.length ?? 0;
  const turns = part.match(/\d(?=[a-z])|[a-z](?=\d)/gi)?.length ?? 0;
  return part.length >= 10 && (digits >= 4 || turns >= 3);
}
