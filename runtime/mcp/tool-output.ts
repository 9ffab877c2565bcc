import type { CallToolResult } from '@modelcontextprotocol/client';
import type { Scrub } from './mcp-errors.ts';

/** The most characters of what a tool says about its failure that an error repeats. */
const REPEATED = 2000;

/** What the agent gets: the structured content when there is some, else the content. */
export function outputOf(result: CallToolResult): unknown {
  const { structuredContent, content } = result;
  return structuredContent ?? content;
}

/** The texts of a result, for a tool that says that it failed. */
export function textOf({ content }: CallToolResult, scrub: Scrub): string {
  const texts = content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  const text = scrub(texts.join('\n'));
  if (text === '') return 'it does not say why';
  return text.length > REPEATED ? `${text.slice(0, REPEATED)}…` : text;
}
