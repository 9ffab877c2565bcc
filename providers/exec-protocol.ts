import { memberSpan, rootSpan, textAt } from './json-text.ts';
import { ProviderError } from './provider.ts';

/** A value, or why there is none. */
export type Resolved = Uint8Array | ProviderError;

/** The one version of the protocol there is. */
const protocolVersion = 1;

/** What a resolver reads: one JSON document. */
export function request(provider: string, ids: readonly string[]): string {
  return JSON.stringify({ protocolVersion, provider, ids });
}

/** Whether an id may be given to a resolver: no option, no path upwards, nothing that a shell would take for its own. */
export function isResolvable(id: string): boolean {
  return /^[A-Za-z0-9][\w.:/#-]{0,255}$/.test(id) && id.split('/').every((part) => !/^\.{1,2}$/.test(part));
}

/**
 * Reads a resolver's answer, by id. Nothing it says gets into an error but the two codes that the protocol knows: it
 * may quote a secret anywhere else.
 *
 * @param raw whether what is no answer of the protocol is the value itself; for a single id
 * @throws {ProviderError} when the answer as a whole makes no sense
 */
export function readAnswer(
  command: string,
  output: Buffer,
  ids: readonly string[],
  raw: boolean,
): Map<string, Resolved> {
  const text = output.toString('utf8').trim();
  if (text === '') throw new ProviderError('transient', `The command ${command} printed nothing.`);
  const [only] = ids;
  const answer = parse(text);
  if (raw && only !== undefined && !(isRecord(answer) && 'protocolVersion' in answer)) {
    return new Map([[only, bytesOf(typeof answer === 'string' ? answer : text, only)]]);
  }
  if (!isRecord(answer)) {
    const text = `The command ${command} did not print a JSON object. If it prints the value itself, set jsonOnly to false.`;
    throw new ProviderError('transient', text);
  }
  const { values, errors } = answer;
  if (answer['protocolVersion'] !== protocolVersion || !isRecord(values)) {
    const text = `The answer of ${command} needs "protocolVersion": ${protocolVersion} and an object "values".`;
    throw new ProviderError('invalid', text);
  }
  const result = new Map<string, Resolved>();
  for (const id of ids) {
    if (isRecord(errors) && Object.hasOwn(errors, id)) result.set(id, itemError(command, id, errors[id]));
    else if (Object.hasOwn(values, id)) result.set(id, bytesOf(values[id], id, text));
    else result.set(id, new ProviderError('not-found', `The command ${command} has nothing for ${id}.`));
  }
  return result;
}

function itemError(command: string, id: string, error: unknown): ProviderError {
  switch (isRecord(error) ? error['code'] : undefined) {
    case 'NOT_FOUND':
      return new ProviderError('not-found', `The command ${command} does not find ${id} (NOT_FOUND).`);
    case 'AMBIGUOUS_DUPLICATE_KEY':
      return new ProviderError(
        'invalid',
        `The command ${command} finds ${id} more than once (AMBIGUOUS_DUPLICATE_KEY).`,
      );
    default:
      return new ProviderError('transient', `The command ${command} failed for ${id}.`);
  }
}

/** A text as it is, an object as the JSON that stands in the answer. */
function bytesOf(value: unknown, id: string, answer = ''): Resolved {
  if (typeof value === 'string' && value !== '') return new TextEncoder().encode(value);
  if (typeof value === 'object' && value !== null) {
    const bytes = new TextEncoder().encode(answer);
    const all = rootSpan(bytes);
    const values = all && memberSpan(bytes, all, 'values');
    const span = values && memberSpan(bytes, values, id);
    const written = span && textAt(bytes, span);
    bytes.fill(0);
    if (written !== undefined) return written;
  }
  return new ProviderError('invalid', `The value of ${id} is not text, or is empty.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words quote the text.
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
