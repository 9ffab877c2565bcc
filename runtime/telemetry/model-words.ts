/** A part of a message, as the conventions write it. */
type Part =
  | { readonly type: 'text'; readonly content: string }
  | { readonly type: 'tool_call'; readonly id?: string; readonly name: string; readonly arguments: unknown }
  | { readonly type: 'tool_call_response'; readonly id?: string; readonly response: unknown }
  | { readonly type: string };

interface Message {
  readonly role: string;
  readonly parts: readonly Part[];
}

/** The most bytes of a request, or an answer in one piece, that are read for its words. */
const MOST_READ = 262_144;
/** The most characters of an attribute. */
const MOST_TOLD = 32_768;

type Fields = Readonly<Record<string, unknown>>;

/** What a model is asked, as JSON of messages: the newest, as many as there is room for. */
export function askedWords(body: unknown): string | undefined {
  const asked = fieldsIn(body);
  if (asked === undefined) return undefined;
  const { messages, input, system, instructions } = asked;
  const given = messages ?? (typeof input === 'string' ? [{ role: 'user', content: input }] : input);
  const all = Array.isArray(given) ? (given as Fields[]).map(messageOf) : [];
  const before = textOf(system ?? instructions);
  return told(before === '' ? all : [{ role: 'system', parts: [textPart(before)] }, ...all]);
}

/** Collects what a model answers, streamed or in one piece. */
export class AnswerWords {
  #line = '';
  #isStream: boolean | undefined;
  #read = 0;
  #text = '';
  /** By their place. */
  readonly #calls = new Map<unknown, { id: string; name: string; json: string }>();

  push(bytes: Uint8Array): void {
    this.#isStream ??= /^(?:event|data|id|:)/.test(Buffer.from(bytes.subarray(0, 8)).toString('latin1'));
    if (this.#read > MOST_READ && !this.#isStream) return;
    this.#read += bytes.byteLength;
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    if (!this.#isStream) return;
    const lines = this.#line.split('\n');
    // What is longer than that is no token.
    this.#line = lines.at(-1) as string;
    if (this.#line.length > MOST_READ) this.#line = '';
    for (const line of lines.slice(0, -1)) if (line.startsWith('data: {')) this.#event(line.slice(6));
  }

  /** As JSON of one message. */
  words(finishReason: string | undefined): string | undefined {
    if (this.#isStream === false && this.#read <= MOST_READ)
      this.#whole(fieldsIn(Buffer.from(this.#line, 'latin1')));
    const calls = [...this.#calls.values()].map(({ id, name, json }): Part => callPart(id, name, json));
    const parts = [...(this.#text === '' ? [] : [textPart(this.#text)]), ...calls];
    if (parts.length === 0) return undefined;
    const message = {
      role: 'assistant',
      parts,
      ...(finishReason !== undefined && { finish_reason: finishReason }),
    };
    return told([message]);
  }

  #event(json: string): void {
    const event = fieldsIn(Buffer.from(json, 'latin1'));
    if (event === undefined) return;
    const { type, delta, index, output_index: place, item, content_block: block } = event;
    const chat = (event['choices'] as Fields[] | undefined)?.[0]?.['delta'] as Fields | undefined;
    if (chat !== undefined) {
      this.#say(chat['content']);
      for (const call of (chat['tool_calls'] ?? []) as Fields[]) {
        const { name, arguments: piece } = (call['function'] ?? {}) as Fields;
        this.#call(call['index'], call['id'], name, piece);
      }
    } else if (type === 'content_block_start') {
      const { id, name, type: kind } = block as Fields;
      if (kind === 'tool_use') this.#call(index, id, name, '');
    } else if (type === 'content_block_delta') {
      const { text, partial_json: piece } = delta as Fields;
      if (piece === undefined) this.#say(text);
      else this.#call(index, undefined, undefined, piece);
    } else if (type === 'response.output_text.delta') {
      this.#say(delta);
    } else if (type === 'response.output_item.done') {
      const { type: kind, call_id: id, name, arguments: all } = item as Fields;
      if (kind === 'function_call') this.#call(place, id, name, all);
    }
  }

  #whole(answer: Fields | undefined): void {
    const chat = (answer?.['choices'] as Fields[] | undefined)?.[0]?.['message'] as Fields | undefined;
    const output = answer?.['output'] as Fields[] | undefined;
    const messages = chat !== undefined ? [chat] : (output ?? (answer === undefined ? [] : [answer]));
    for (const part of messages.flatMap((message) => messageOf(message).parts)) {
      if ('content' in part) this.#say(part.content);
      if ('arguments' in part)
        this.#call(this.#calls.size, part.id, part.name, JSON.stringify(part.arguments));
    }
  }

  #say(text: unknown): void {
    if (typeof text === 'string' && this.#text.length < MOST_TOLD) this.#text += text;
  }

  #call(place: unknown, id: unknown, name: unknown, piece: unknown): void {
    if (this.#calls.size > 100) return;
    const call = this.#calls.get(place) ?? { id: '', name: '', json: '' };
    this.#calls.set(place, call);
    if (typeof id === 'string') call.id = id;
    if (typeof name === 'string') call.name = name;
    if (typeof piece === 'string' && call.json.length < MOST_TOLD) call.json += piece;
  }
}

function messageOf(message: Fields): Message {
  const { role, type, content, tool_calls: calls, tool_call_id: of, call_id: id, output } = message;
  if (type === 'function_call_output') return { role: 'tool', parts: [responsePart(id, output)] };
  if (type === 'function_call')
    return { role: 'assistant', parts: [callPart(id, message['name'], message['arguments'])] };
  const parts = role === 'tool' ? [responsePart(of, textOf(content))] : partsOf(content);
  for (const call of (Array.isArray(calls) ? calls : []) as Fields[]) {
    const { name, arguments: json } = (call['function'] ?? {}) as Fields;
    parts.push(callPart(call['id'], name, json));
  }
  return { role: typeof role === 'string' ? role : 'user', parts };
}

function partsOf(content: unknown): Part[] {
  if (typeof content === 'string') return [textPart(content)];
  if (!Array.isArray(content)) return [];
  return (content as Fields[]).map((part): Part => {
    const { type, text, id, name, input, tool_use_id: of, content: result } = part;
    if (typeof text === 'string') return textPart(text);
    if (type === 'tool_use') return callPart(id, name, input);
    if (type === 'tool_result') return responsePart(of, textOf(result));
    // An image, for example, of which only that it was there is told.
    return { type: typeof type === 'string' ? type : 'unknown' };
  });
}

function textPart(content: string): Part {
  return { type: 'text', content };
}

function callPart(id: unknown, name: unknown, args: unknown): Part {
  const json = typeof args === 'string' ? (parsed(args) ?? args) : args;
  return { type: 'tool_call', ...(typeof id === 'string' && { id }), name: String(name), arguments: json };
}

function responsePart(id: unknown, response: unknown): Part {
  return { type: 'tool_call_response', ...(typeof id === 'string' && { id }), response };
}

function textOf(content: unknown): string {
  return partsOf(content)
    .map((part) => ('content' in part ? part.content : ''))
    .join('');
}

/** The newest messages for which there is room; of one that is too long its beginning. */
function told(messages: readonly Message[]): string | undefined {
  let json: string | undefined;
  for (let from = messages.length - 1; from >= 0; from -= 1) {
    const more = JSON.stringify(messages.slice(from));
    if (more.length > MOST_TOLD) return json ?? `${more.slice(0, MOST_TOLD)}…`;
    json = more;
  }
  return json;
}

function fieldsIn(body: unknown): Fields | undefined {
  const length = typeof body === 'string' ? body.length : body instanceof Uint8Array ? body.byteLength : 0;
  if (length === 0 || length > MOST_READ) return undefined;
  const found = parsed(typeof body === 'string' ? body : Buffer.from(body as Uint8Array).toString());
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Fields) : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
