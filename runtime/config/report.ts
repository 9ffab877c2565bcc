import { ConfigError, type ConfigProblem } from '../base/errors.ts';
import { excerpt, Lines, maskValue, mergeMasks } from './excerpt.ts';
import type { Finding } from './finding.ts';
import type { Source } from './read-source.ts';
import { printPath } from './received.ts';

/** A message with more problems than this is no longer read; `problems` has them all. */
const MOST_PRINTED = 100;

/** One error for everything that was found in a config, each with its place. */
export function configError(source: Source, findings: readonly Finding[]): ConfigError {
  const found = locateAll(source, distinct(findings));
  const onlyModules = found.every(({ problem }) => problem.code === 'module-not-found');
  const code = onlyModules ? 'AGENT_MODULE_NOT_FOUND' : 'CONFIG_INVALID';
  const count = `${found.length} problem${found.length === 1 ? '' : 's'}`;
  const printed = found.slice(0, MOST_PRINTED).map(({ problem, lines }) => print(problem, lines));
  const rest = found.length - printed.length;
  if (rest > 0) printed.push(`  and ${rest} more; all are in the problems of this error`);
  const header = `${code}: ${count} in ${source.shown ?? 'the config object'}`;
  return new ConfigError(
    code,
    [header, ...printed].join('\n'),
    found.map(({ problem }) => problem),
  );
}

interface Located {
  readonly problem: ConfigProblem;
  /** The excerpt, made only for what is printed. */
  readonly lines: () => string | undefined;
}

function locateAll(source: Source, findings: readonly Finding[]): Located[] {
  const { parts = [], originOf = (path) => ({ part: 0, path }), hide = (text) => text, shown } = source;
  if (parts.length === 0) {
    return findings.map(({ code, path, message }) => {
      return {
        problem: { code, path, message, ...(shown && { file: shown }) },
        lines: () => undefined,
      };
    });
  }
  const unknown = findings.filter(({ code }) => code === 'unknown-key').map(({ path }) => originOf(path));
  const texts = parts.map(({ shown: file, document }, n) => {
    // What stands under an unknown key may be anything, also a credential.
    const hidden = unknown
      .filter(({ part }) => part === n)
      .map(({ path }) => maskValue(document.locate(path, 'value')));
    return {
      n,
      file,
      document,
      lines: new Lines(document.text),
      masks: mergeMasks([...document.masks, ...hidden]),
    };
  });
  const textOf = (part: number) => {
    const text = texts[part];
    if (text === undefined) throw new RangeError(`the config has no part ${part}`);
    return text;
  };
  const seeAlso = ({ related, relatedSpan }: Finding, from: number): string => {
    if (relatedSpan !== undefined)
      return ` (see line ${textOf(from).lines.position(relatedSpan.start).line})`;
    if (related === undefined) return '';
    const { part, path } = originOf(related);
    const { file, document, lines } = textOf(part);
    const { line } = lines.position(document.locate(path, 'value').start);
    return part === from ? ` (see line ${line})` : ` (see ${file}:${line})`;
  };
  const located = findings.map((finding) => {
    const { code, path, at } = finding;
    const origin = finding.part === undefined ? originOf(path) : { part: finding.part, path };
    const { n, file, document, lines, masks } = textOf(origin.part);
    const { start } = finding.span ?? document.locate(origin.path, at);
    const message = hide(finding.message) + seeAlso(finding, origin.part);
    const problem = { code, path, message, file, ...lines.position(start) };
    return { n, start, problem, lines: () => excerpt(document.text, lines, start, masks) };
  });
  return located.toSorted((a, b) => a.n - b.n || a.start - b.start);
}

function print(
  { file, line, column, path, message }: ConfigProblem,
  lines: () => string | undefined,
): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  const head = [place, path.length > 0 ? printPath(path) : undefined]
    .filter((part) => part !== undefined)
    .join(' ');
  const text = `${head === '' ? '' : `${head}: `}${message}`;
  const source = lines();
  return indent(2, text) + (source === undefined ? '' : `\n${indent(4, source)}`);
}

function indent(width: number, text: string): string {
  return text
    .split('\n')
    .map((line) => ' '.repeat(width) + line)
    .join('\n');
}

function distinct(findings: readonly Finding[]): Finding[] {
  const byText = new Map<string, Finding>();
  for (const finding of findings) {
    byText.set(JSON.stringify([finding.code, finding.path, finding.message, finding.span]), finding);
  }
  return [...byText.values()];
}
