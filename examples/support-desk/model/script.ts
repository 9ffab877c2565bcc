/** What a model is asked, in whatever protocol. */
export interface Asked {
  readonly model: string;
  /** What the user said last. */
  readonly text: string;
  /** The names of the tools that the model may call. */
  readonly tools: readonly string[];
  /** What the tool said that was called last, when that is the newest message. */
  readonly toolResult: string | undefined;
  /** The words of all messages: their tokens. */
  readonly words: number;
  /** Whether the client wants to hear what a stream has cost. */
  readonly wantsUsage: boolean;
  /** The key of the client. */
  readonly key: string;
}

/** What a model answers. */
export interface Turn {
  readonly tokens: readonly string[];
  /** A tool that the model wants called, after it has said that. */
  readonly call?: { readonly name: string; readonly args: unknown };
  /** Whether the connection breaks before the end. */
  readonly breaksOff?: boolean;
}

/**
 * What the prompt says: `call <tool> with <JSON>`, `echo your key`, `break off`, `say <text>`; `count to <n>` for a long
 * answer. To anything else it answers with what it heard, and to the result of a tool with that.
 */
export function scripted({ text, tools, toolResult, key }: Asked): Turn {
  if (toolResult !== undefined) return { tokens: tokensOf(`The tool says ${toolResult}`) };
  const [, name = '', json = ''] = /call (\w+) with (\{.*\})/s.exec(text) ?? [];
  if (tools.includes(name)) return { tokens: [], call: { name, args: JSON.parse(json) as unknown } };
  if (text.includes('echo your key')) return { tokens: tokensOf(`My key is ${key} as you see`) };
  if (text.includes('break off')) return { tokens: tokensOf('This will not be'), breaksOff: true };
  const [, most] = /count to (\d+)/.exec(text) ?? [];
  if (most !== undefined) return { tokens: Array.from({ length: Number(most) }, (_, n) => `${n + 1} `) };
  const [, said = `You said: ${text}`] = /^say (.+)/s.exec(text) ?? [];
  return { tokens: tokensOf(said) };
}

/** Each word with the space before it, as tokens of most models are. */
function tokensOf(text: string): string[] {
  return text.match(/\s*\S+/g) ?? [];
}
