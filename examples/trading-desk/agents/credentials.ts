/** A line that holds what looks like a credential. Never the value, nor a part of it. */
export interface Finding {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly kind: CredentialKind;
}

export type CredentialKind =
  | 'aws-access-key-id'
  | 'aws-secret-access-key'
  | 'private-key'
  | 'password'
  | 'api-key'
  | 'bearer-token'
  | 'url-with-password';

// The first that matches names the line, so the particular ones come before the general ones.
const patterns: readonly (readonly [CredentialKind, RegExp])[] = [
  ['private-key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['aws-access-key-id', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['aws-secret-access-key', /secret_?access_?key["']?\s*[:=]\s*["']?(?<value>[A-Za-z0-9/+]{40})\b/i],
  ['url-with-password', /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]+:(?<value>[^\s@/]+)@/i],
  ['bearer-token', /\bbearer\s+(?<value>[\w.~+/-]{16,}=*)/i],
  [
    'api-key',
    /(?:api[_-]?key|auth[_-]?token|client[_-]?secret)["']?\s*[:=]\s*["']?(?<value>[^\s"',;]{12,})/i,
  ],
  ['password', /(?:password|passwd|pwd)["']?\s*[:=]\s*["']?(?<value>[^\s"',;]{6,})/i],
];

// A reference to a secret that lives elsewhere is what we want people to write.
const reference = /^(?:\$\{|\$\(|\$[A-Z_]|<|\{\{|%|arn:|\*+$|secretRef\b|process\.env\b)/i;

/** Every line of a text that holds a plaintext credential, at most one finding a line. */
export function findCredentials(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const kind = credentialIn(line);
    if (kind) findings.push({ file, line: index + 1, kind });
  }
  return findings;
}

function credentialIn(line: string): CredentialKind | undefined {
  for (const [kind, pattern] of patterns) {
    const match = pattern.exec(line);
    if (match && !reference.test(match.groups?.['value'] ?? '')) return kind;
  }
  return undefined;
}
