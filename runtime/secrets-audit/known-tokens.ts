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
  return messages.map(({ ruleId, loc }) => ({
    line: loc.start.line,
    service: ruleId.replace(PREFIX, '').replaceAll('-', ' '),
  }));
}
