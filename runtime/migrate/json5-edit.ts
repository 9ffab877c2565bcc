import { parseDocument, type ConfigDocument } from '../config/document.ts';
import type { ConfigPath, Span } from '../config/finding.ts';
import { type Lexeme, lexemes } from '../config/lexemes.ts';

/**
 * Changes single members of a JSON5 text. Whatever is not changed stays as it was written, comments too; a comment above a member
 * that goes, or behind it on its line, goes with it.
 */
export class Json5Edit {
  #text: string;
  #document: ConfigDocument;
  #parts: readonly Lexeme[] | undefined;
  readonly #style: Style;

  /** `text` is a JSON5 object. */
  constructor(text: string) {
    this.#text = text;
    this.#document = parseDocument(text);
    this.#style = styleOf(text);
  }

  get text(): string {
    return this.#text;
  }

  /** Takes a member out; does nothing when it is not there. */
  remove(path: ConfigPath): void {
    const key = this.#document.locate(path, 'key');
    const value = this.#document.locate(path, 'value');
    if (!this.#has(path)) return;
    const parts = this.#lexemes();
    const first = parts.findIndex(({ start }) => start === key.start);
    let last = parts.findLastIndex(({ end }) => end === value.end);
    const comma = parts.findIndex((part, n) => n > last && part.kind !== 'comment');
    const isFollowed = this.#isComma(parts[comma]);
    if (isFollowed) last = comma;
    const { start, isOwnLine } = this.#startWithComments(parts, first);
    const end = this.#endWithComments(parts, last);
    const rest = /^[^\S\n]*\r?\n/.exec(this.#text.slice(end))?.[0] ?? '';
    const isWhole = isOwnLine && rest !== '';
    const cut = isWhole ? { start, end: this.#withBlankLine(start, end + rest.length) } : { start, end };
    // Strict JSON has no comma behind the last.
    const orphan = parts.findLast((part, n) => n < first && part.kind !== 'comment');
    if (isFollowed || orphan === undefined || !this.#isComma(orphan)) this.#replace([{ ...cut, text: '' }]);
    else if (this.#text.slice(orphan.end, cut.start).trim() === '') {
      this.#replace([{ start: orphan.start, end: cut.end, text: isWhole ? this.#style.newline : '' }]);
    } else {
      this.#replace([
        { start: orphan.start, end: orphan.end, text: '' },
        { ...cut, text: '' },
      ]);
    }
  }

  /** Of two blank lines that would come together one goes. */
  #withBlankLine(start: number, end: number): number {
    const isBlankBefore = /(?:\n|\{)[^\S\n]*\r?\n$/.test(this.#text.slice(0, start));
    const blank = /^[^\S\n]*\r?\n/.exec(this.#text.slice(end))?.[0] ?? '';
    return isBlankBefore ? end + blank.length : end;
  }

  /** Puts a member at the end of the object at `path`. */
  add(path: ConfigPath, key: string, value: unknown): void {
    const object = this.#document.locate(path, 'value');
    const parts = this.#lexemes();
    const closing = parts.findLastIndex(({ end }) => end === object.end);
    const brace = parts[closing];
    const last = parts.findLast((part, n) => n < closing && part.kind !== 'comment');
    if (brace === undefined || last === undefined) throw new RangeError('only an object takes a member');
    const isEmpty = last.start === object.start;
    const needsComma = !isEmpty && !this.#isComma(last);
    const lineStart = this.#text.lastIndexOf('\n', brace.start) + 1;
    const outer = this.#indentAt(lineStart);
    const isMultiline = lineStart > object.start && this.#text.slice(lineStart, brace.start).trim() === '';
    const style = this.#style;
    const inner = `${outer}${style.indent}`;
    const member = `${printKey(key, style)}: ${printValue(value, isMultiline ? inner : outer, style)}`;
    const comma = needsComma ? [{ start: last.end, end: last.end, text: ',' }] : [];
    const tail = !style.isStrict && isMultiline ? ',' : '';
    this.#replace([
      ...comma,
      isMultiline
        ? { start: lineStart, end: lineStart, text: `${inner}${member}${tail}${style.newline}` }
        : {
            start: brace.start,
            end: brace.start,
            text: `${/\s/.test(this.#text.charAt(brace.start - 1)) ? '' : ' '}${member} `,
          },
    ]);
  }

  /** Puts another value in the place of one. The lines of `comments` go above its members, by their keys. */
  set(path: ConfigPath, value: unknown, comments: ReadonlyMap<string, readonly string[]> = new Map()): void {
    const { start, end } = this.#document.locate(path, 'value');
    const outer = this.#indentAt(this.#text.lastIndexOf('\n', start) + 1);
    this.#replace([{ start, end, text: printValue(value, outer, this.#style, comments) }]);
  }

  /** What a line begins with; a byte order mark is none of it. */
  #indentAt(lineStart: number): string {
    const at = this.#text.startsWith('\uFEFF', lineStart) ? lineStart + 1 : lineStart;
    return /[ \t]*/y.exec(this.#text.slice(at, at + LONGEST_INDENT))?.[0] ?? '';
  }

  /** The comments above a value, in it, and behind it on its line, as they are written. */
  commentsOf(path: ConfigPath): string[] {
    const key = this.#document.locate(path, 'key');
    const value = this.#document.locate(path, 'value');
    const parts = this.#lexemes();
    const first = parts.findIndex(({ start }) => start === key.start);
    let last = parts.findLastIndex(({ end }) => end === value.end);
    if (this.#isComma(parts[last + 1])) last += 1;
    const { start } = this.#startWithComments(parts, first);
    const end = this.#endWithComments(parts, last);
    return parts
      .filter((part) => part.kind === 'comment' && part.start >= start && part.end <= end)
      .map((part) => this.#text.slice(part.start, part.end).trimEnd());
  }

  #lexemes(): readonly Lexeme[] {
    this.#parts ??= lexemes(this.#text);
    return this.#parts;
  }

  #has(path: ConfigPath): boolean {
    let value: unknown = this.#document.value;
    for (const key of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
      value = (value as Record<string | number, unknown>)[key];
    }
    return true;
  }

  #isComma(part: Lexeme | undefined): boolean {
    return part?.kind === 'punctuation' && this.#text[part.start] === ',';
  }

  /** Comments on lines of their own directly above belong to what follows them. */
  #startWithComments(parts: readonly Lexeme[], first: number): { start: number; isOwnLine: boolean } {
    let start = parts[first]?.start ?? 0;
    for (let n = first - 1; n >= 0; n -= 1) {
      const part = parts[n];
      if (part?.kind !== 'comment') break;
      const between = this.#text.slice(part.end, start);
      const hasOwnLine = this.#lineStart(part.start) !== undefined;
      if (!hasOwnLine || (between.match(/\n/g)?.length ?? 0) > 1) break;
      start = part.start;
    }
    const lineStart = this.#lineStart(start);
    return { start: lineStart ?? start, isOwnLine: lineStart !== undefined };
  }

  #endWithComments(parts: readonly Lexeme[], last: number): number {
    let end = parts[last]?.end ?? this.#text.length;
    for (let n = last + 1; n < parts.length; n += 1) {
      const part = parts[n];
      if (part?.kind !== 'comment' || this.#text.slice(end, part.start).includes('\n')) break;
      end = part.end;
    }
    return end;
  }

  /** Where the line starts, if nothing but spaces stands before. */
  #lineStart(at: number): number | undefined {
    const start = this.#text.lastIndexOf('\n', at - 1) + 1;
    return this.#text.slice(start, at).trim() === '' && start > 0 ? start : undefined;
  }

  #replace(changes: readonly (Span & { readonly text: string })[]): void {
    let result = '';
    let at = 0;
    for (const { start, end, text } of changes) {
      result += this.#text.slice(at, start) + text;
      at = end;
    }
    this.#text = result + this.#text.slice(at);
    this.#document = parseDocument(this.#text);
    this.#parts = undefined;
  }
}

/** Names without quotes and single quotes, unless the text is strict JSON or writes names in quotes. */
function styleOf(text: string): Style {
  const parts = lexemes(text).filter(({ kind }) => kind !== 'punctuation');
  const isStrict = !parts.some(
    ({ kind, start, end }) =>
      kind === 'comment' ||
      text[start] === "'" ||
      (kind === 'word' && !/^(?:true|false|null|-?\d.*)$/.test(text.slice(start, end))),
  );
  const strings = parts.filter(({ kind }) => kind === 'string');
  // Some names need quotes whatever the style.
  const quotesNames = strings.some(
    ({ start, end }) =>
      /^\s*:/.test(text.slice(end, end + 10)) && PLAIN_NAME.test(text.slice(start + 1, end - 1)),
  );
  const quote = strings.length > 0 && strings.every(({ start }) => text[start] === '"') ? '"' : "'";
  const indent = /^(?:\t| {1,8})(?=\S)/m.exec(text)?.[0] ?? '  ';
  // Of a file that has both, the first line says what its editor writes.
  const newline = /\r?\n/.exec(text)?.[0] ?? '\n';
  return { isStrict, quotesNames: isStrict || quotesNames, quote: isStrict ? '"' : quote, indent, newline };
}

interface Style {
  readonly isStrict: boolean;
  readonly quotesNames: boolean;
  readonly quote: '"' | "'";
  readonly indent: string;
  /** What ends its lines. */
  readonly newline: string;
}

/** What JSON5 takes as a name without quotes, of ASCII. */
const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/;

/** Longer ones are written over several lines. */
const LONGEST_LINE = 100;

/** Deeper than any config is indented. */
const LONGEST_INDENT = 1000;

function printValue(
  value: unknown,
  outer: string,
  style: Style,
  comments: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  if (typeof value === 'string') return printText(value, style.quote);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inLine = comments.size === 0 ? onOneLine(value, style) : undefined;
  if (inLine !== undefined && outer.length + inLine.length <= LONGEST_LINE) return inLine;
  const inner = outer + style.indent;
  const items = Array.isArray(value)
    ? value.map((item) => [printValue(item, inner, style)])
    : Object.entries(value).map(([key, item]) =>
        (comments.get(key) ?? []).concat(`${printKey(key, style)}: ${printValue(item, inner, style)}`),
      );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const { newline } = style;
  const lines = items.map((one, n) => {
    const comma = style.isStrict && n === items.length - 1 ? '' : ',';
    return `${one.map((line) => `${inner}${line}`).join(newline)}${comma}${newline}`;
  });
  return `${open}${newline}${lines.join('')}${outer}${close}`;
}

function onOneLine(value: object, style: Style): string {
  if (Array.isArray(value)) return `[${value.map((item) => printValue(item, '', style)).join(', ')}]`;
  const members = Object.entries(value).map(
    ([key, item]) =>
      `${printKey(key, style)}: ${typeof item === 'object' && item !== null ? onOneLine(item as object, style) : printValue(item, '', style)}`,
  );
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function printKey(key: string, style: Style): string {
  return PLAIN_NAME.test(key) && !style.quotesNames ? key : printText(key, style.quote);
}

function printText(text: string, quote: '"' | "'"): string {
  const json = JSON.stringify(text);
  if (quote === '"') return json;
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}
