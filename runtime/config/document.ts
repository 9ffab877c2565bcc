import { parse, type MemberNode, type Node, type ObjectNode, type ValueNode } from '@humanwhocodes/momoa';
import { maskAllValues, maskComments, maskValue, type Mask } from './excerpt.ts';
import { type ConfigPath, type Finding, forbiddenKey, isForbiddenKey, type Span } from './finding.ts';
import { lexemes } from './lexemes.ts';
import { isSensitive, isTooLongToPrint, printName } from './received.ts';
import { unusable, unreadable } from './syntax.ts';

/** A JSON5 text as a value, with the place of every key and value in it. */
export interface ConfigDocument {
  readonly text: string;
  /** The value; undefined when the text is not JSON5. */
  readonly value: unknown;
  /** What is already wrong with the text: its syntax, duplicate and forbidden keys. */
  readonly findings: readonly Finding[];
  /** What an excerpt of the text must not show. */
  readonly masks: readonly Mask[];
  /** Where a key or value stands; of what is missing, where its nearest parent does. */
  locate(path: ConfigPath, at: 'key' | 'value'): Span;
}

/** Reads JSON5. Never throws: a text that is not JSON5 comes back with a finding of code `syntax`. */
export function parseDocument(text: string): ConfigDocument {
  const parts = lexemes(text);
  const reader = new Reader();
  const locate = (path: ConfigPath, at: 'key' | 'value') => reader.locate(path, at);
  const broken = (finding: Finding): ConfigDocument => {
    return { text, value: undefined, findings: [finding], masks: maskAllValues(text, parts), locate };
  };
  const early = unusable(text, parts);
  if (early !== undefined) return broken(early);
  let body: ValueNode;
  try {
    body = parse(text, { mode: 'json5' }).body;
  } catch (error) {
    return broken(unreadable(text, parts, error));
  }
  const value = reader.read(body, []);
  return { text, value, findings: reader.findings, masks: [...reader.masks, ...maskComments(parts)], locate };
}

/** Turns the tree of a text into a value, and remembers where everything stood. */
class Reader {
  readonly findings: Finding[] = [];
  readonly masks: Mask[] = [];
  readonly #places = new Map<string, { readonly key?: Span; readonly value: Span }>();

  read(node: ValueNode, path: ConfigPath, key?: Span): unknown {
    this.#places.set(JSON.stringify(path), { value: spanOf(node), ...(key && { key }) });
    if (node.type === 'Object') return this.#object(node, path);
    if (node.type === 'Array') {
      return node.elements.map((element, index) => this.read(element.value, [...path, index]));
    }
    const value = scalar(node);
    if (isSensitive(path) || (typeof value === 'string' && isTooLongToPrint(value))) {
      this.masks.push(maskValue(spanOf(node)));
    }
    return value;
  }

  locate(path: ConfigPath, at: 'key' | 'value'): Span {
    const exact = this.#places.get(JSON.stringify(path));
    if (exact !== undefined) return (at === 'key' ? exact.key : undefined) ?? exact.value;
    return path.length === 0 ? { start: 0, end: 0 } : this.locate(path.slice(0, -1), 'key');
  }

  #object(node: ObjectNode, path: ConfigPath): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const member of node.members) {
      const key = keyOf(member);
      const span = spanOf(member.name);
      const inner = [...path, key];
      if (isForbiddenKey(key)) {
        this.findings.push(forbiddenKey(inner, span));
        this.masks.push(maskValue(spanOf(member.value)));
        continue;
      }
      if (Object.hasOwn(result, key)) {
        const message = `the key ${printName(key)} is written twice; keep one`;
        const first = this.#places.get(JSON.stringify(inner))?.key;
        this.findings.push({
          code: 'duplicate-key',
          path: inner,
          at: 'key',
          message,
          span,
          ...(first && { relatedSpan: first }),
        });
        this.masks.push(maskValue(spanOf(member.value)));
        continue;
      }
      result[key] = this.read(member.value, inner, span);
    }
    return result;
  }
}

function keyOf(member: MemberNode): string {
  return member.name.type === 'String' ? member.name.value : member.name.name;
}

function spanOf(node: Node): Span {
  return { start: node.loc.start.offset, end: node.loc.end.offset };
}

function scalar(node: Exclude<ValueNode, ObjectNode | { type: 'Array' }>): unknown {
  if (node.type === 'Null') return null;
  if (node.type === 'NaN') return NaN;
  if (node.type === 'Infinity') return node.sign === '-' ? -Infinity : Infinity;
  return node.value;
}
