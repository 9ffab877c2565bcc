import type { Asked, Turn } from './script.ts';

/** A piece of a stream. */
export interface Piece {
  readonly text: string;
  /** Whether the model has to think for it. */
  readonly isToken: boolean;
}

/** How a service is asked, and how it answers. */
export interface Protocol {
  asked(this: void, body: Readonly<Record<string, unknown>>): Omit<Asked, 'key'>;
  whole(this: void, asked: Asked, turn: Turn): unknown;
  stream(this: void, asked: Asked, turn: Turn): Iterable<Piece>;
  error(this: void, status: number, message: string): unknown;
}

/** A message of any of the protocols. */
interface Message {
  readonly role?: string;
  readonly type?: string;
  readonly content?: unknown;
  readonly output?: unknown;
  readonly text?: unknown;
}

/** What is asked, where it is written as most protocols do. */
export function askedOf(
  { model, tools, stream_options: options }: Readonly<Record<string, unknown>>,
  conversation: unknown,
): Omit<Asked, 'key'> {
  const all: Message[] =
    typeof conversation === 'string'
      ? [{ role: 'user', content: conversation }]
      : ((conversation ?? []) as Message[]);
  const last = all.at(-1);
  const user = all.findLast(({ role, content }) => role === 'user' && resultIn(content) === undefined);
  return {
    model: String(model),
    text: textOf(user?.content),
    tools: ((tools ?? []) as { name?: string; function?: { name: string } }[]).map(
      (tool) => tool.function?.name ?? tool.name ?? '',
    ),
    toolResult:
      last?.role === 'tool'
        ? textOf(last.content)
        : last?.type === 'function_call_output'
          ? textOf(last.output)
          : resultIn(last?.content),
    words: all.flatMap(({ content }) => textOf(content).split(/\s+/).filter(Boolean)).length,
    wantsUsage: (options as { include_usage?: boolean } | undefined)?.include_usage === true,
  };
}

/** The result of a tool that a message of Anthropic's protocol has as a part. */
function resultIn(content: unknown): string | undefined {
  if (!Array.isArray(content)) return undefined;
  const result = (content as Message[]).find(({ type }) => type === 'tool_result');
  return result && textOf(result.content);
}

/** A text, or the texts of its parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as Message[]).map(({ text }) => (typeof text === 'string' ? text : '')).join('');
}

/** The arguments of a call as they come: in two pieces. */
export function argumentsOf({ call }: Turn): [string, string] {
  const json = JSON.stringify(call?.args);
  return [json.slice(0, json.length / 2), json.slice(json.length / 2)];
}

/** The tokens that an answer has cost. */
export function cost({ words }: Asked, { tokens, call }: Turn): { input: number; output: number } {
  return { input: words, output: tokens.length + (call === undefined ? 0 : 1) };
}
