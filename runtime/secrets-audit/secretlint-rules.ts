import type { Span } from '../config/finding.ts';

/** What a rule of secretlint found. */
export interface RuleFinding extends Span {
  /** Such as `github`. */
  readonly service: string;
}

/** What we use of secretlint's interface for rules, `SecretLintRuleCreator`. */
interface Rule {
  readonly meta: { readonly id: string };
  create(
    this: void,
    context: {
      readonly sharedOptions: object;
      createTranslator(): (messageId: string) => object;
      report(found: { readonly range: readonly [start: number, end: number] }): void;
      ignore(): void;
    },
    options: object,
  ): { file?(source: { readonly [key: string]: unknown }): void | Promise<void> };
}

const PREFIX = '@secretlint/secretlint-rule-';

/**
 * What the recommended rules of secretlint find in a text, each rule by itself. Their runner (`@secretlint/core`) is left out: it
 * compares all that is found with each other, and keeps marks of each file that it looks through again for the next. So is the
 * rule that comments switch the others off with: an audit is not asked to look away.
 */
export async function ruleFindings(text: string): Promise<RuleFinding[]> {
  const preset = await import('@secretlint/secretlint-rule-preset-recommend');
  const found: RuleFinding[] = [];
  const source = {
    content: text,
    filePath: 'text',
    physicalFilePath: undefined,
    contentType: 'text',
    ext: '',
  };
  for (const { meta, create } of preset.rules as unknown as readonly Rule[]) {
    if (meta.id === `${PREFIX}filter-comments`) continue;
    const service = meta.id.replace(PREFIX, '').replaceAll('-', ' ');
    const context = {
      sharedOptions: {},
      createTranslator: () => (messageId: string) => ({ messageId, message: '' }),
      report: ({ range: [start, end] }: { readonly range: readonly [start: number, end: number] }) => {
        found.push({ start, end, service });
      },
      ignore: () => undefined,
    };
    await create(context, {}).file?.(source);
  }
  return found;
}
