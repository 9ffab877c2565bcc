/** A token whose form says whose it is. */
export interface KnownToken {
  /** 1-based. */
  readonly line: number;
  /** Such as `github` or `slack`. */
  readonly service: string;
}

const PREFIX = '@secretlint/secretlint-rule-';

/** Tokens of well-known services, wherever they stand in a text: in comments too. */
export async function knownTokens(text: string): Promise<KnownToken[]> {
  const [{ lintSource }, { creator }] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ]);
  const { messages } = await lintSource({
    source: { filePath: 'text', content: text, contentType: 'text' },
    options: {
      config: { rules: [{ id: `${PREFIX}preset-recommend`, rule: creator }] },
      noPhysicFilePath: true,
      maskSecrets: true,
    },
  });
  const known = messages.map(({ ruleId, loc }) => ({
    line: loc.start.line,
    service: ruleId.replace(PREFIX, '').replaceAll('-', ' '),
  }));
  return [...known, ...lineTokens(text)];
}

/** What went over the wire and was written down, and keys of whatever length. */
const forms: readonly (readonly [service: string, form: RegExp])[] = [
  ['bearer token', /\bbearer\s+[\w.~+/-]{16,}/i],
  ['private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
];

function lineTokens(text: string): KnownToken[] {
  return text
    .split('\n')
    .flatMap((line, n) =>
      forms.flatMap(([service, form]) => (form.test(line) ? [{ line: n + 1, service }] : [])),
    );
}
