import { argumentsOf, askedOf, cost, type Piece, type Protocol } from './protocol.ts';
import { chat } from './chat.ts';
import type { Asked, Turn } from './script.ts';

/** OpenAI's responses. */
export const responses: Protocol = {
  asked: (body) => askedOf(body, body['input']),

  whole: (asked, turn) => responseOf(asked, turn, 'completed'),

  *stream(asked, turn) {
    let sequence = 0;
    const event = (type: string, fields: object, isToken = false): Piece => {
      const frame = { type, sequence_number: sequence++, ...fields };
      return { text: `event: ${type}\ndata: ${JSON.stringify(frame)}\n\n`, isToken };
    };
    const begun = { ...responseOf(asked, turn, 'in_progress'), output: [], usage: null };
    yield event('response.created', { response: begun });
    const [output_index, content_index] = [0, 0];
    if (turn.call === undefined) {
      const item = textItem(turn);
      const text = turn.tokens.join('');
      const place = { item_id: item.id, output_index, content_index };
      yield event('response.output_item.added', {
        output_index,
        item: { ...item, status: 'in_progress', content: [] },
      });
      yield event('response.content_part.added', {
        ...place,
        part: { type: 'output_text', text: '', annotations: [] },
      });
      for (const delta of turn.tokens)
        yield event('response.output_text.delta', { ...place, delta, logprobs: [] }, true);
      if (turn.breaksOff === true) return;
      yield event('response.output_text.done', { ...place, text, logprobs: [] });
      yield event('response.content_part.done', { ...place, part: item.content[0] });
      yield event('response.output_item.done', { output_index, item });
    } else {
      const item = callItem(turn);
      const place = { item_id: item.id, output_index };
      yield event('response.output_item.added', {
        output_index,
        item: { ...item, status: 'in_progress', arguments: '' },
      });
      for (const delta of argumentsOf(turn))
        yield event('response.function_call_arguments.delta', { ...place, delta });
      yield event('response.function_call_arguments.done', {
        ...place,
        name: item.name,
        arguments: item.arguments,
      });
      yield event('response.output_item.done', { output_index, item });
    }
    yield event('response.completed', { response: responseOf(asked, turn, 'completed') });
  },

  error: chat.error,
};

function textItem({ tokens }: Turn) {
  const content = [{ type: 'output_text', text: tokens.join(''), annotations: [] }];
  return { id: 'message-1', type: 'message', status: 'completed', role: 'assistant', content };
}

function callItem({ call }: Turn) {
  const made = { id: 'item-1', type: 'function_call', call_id: 'call-1', status: 'completed' };
  return { ...made, name: call?.name, arguments: JSON.stringify(call?.args) };
}

function responseOf(asked: Asked, turn: Turn, status: string): object {
  const { input, output } = cost(asked, turn);
  return {
    id: 'response-1',
    object: 'response',
    created_at: 1_767_225_600,
    status,
    model: asked.model,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    output: [turn.call === undefined ? textItem(turn) : callItem(turn)],
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + output,
    },
  };
}
