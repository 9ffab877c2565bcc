import { Lines } from '../config/excerpt.ts';
import type { Span } from '../config/finding.ts';
import { plainText } from '../config/received.ts';
import type { AuditedText, UnreadFile } from './audited-file.ts';
import { judge } from './credentials.ts';
import { isEnvFile } from './env-file.ts';
import type { AuditFinding } from './finding.ts';
import { knownTokens } from './known-tokens.ts';
import { looksRandom } from './markers.ts';
import { innerValuesOfJson, valuesOfBrokenJson, valuesOfEnv, valuesOfJson } from './named-values.ts';
import type { NamedValue } from './named-value.ts';
import { valuesOfText } from './text-values.ts';

/** Milliseconds for one file of 1 MiB at most: some hundred times of what it takes. */
const LONGEST_SCAN = 20_000;

/** What an audit found; JSON-safe, without any value. */
export interface AuditReport {
  readonly version: 1;
  /** `incomplete`: nothing was found, and not all was looked at. */
  readonly status: 'clean' | 'findings' | 'incomplete';
  readonly filesScanned: readonly string[];
  /** What was to be looked at and was not. */
  readonly filesUnread: readonly UnreadFile[];
  /** What lay there and has no text of its own: pipes, sockets, devices and links. */
  readonly filesSkipped: readonly UnreadFile[];
  readonly summary: {
    readonly plaintextCount: number;
    readonly legacyResidueCount: number;
    readonly placeholderCount: number;
  };
  readonly findings: readonly AuditFinding[];
}

export interface AuditedTexts {
  readonly files: readonly AuditedText[];
  readonly unread: readonly UnreadFile[];
  readonly skipped?: readonly UnreadFile[];
}

/** Looks for credentials in plain text. Reads files and nothing else: no provider is called. */
export async function auditFiles(
  { files, unread, skipped = [] }: AuditedTexts,
  now: () => number = () => performance.now(),
): Promise<AuditReport> {
  let findings: AuditFinding[] = [];
  const scanned: string[] = [];
  const left = [...unread];
  // One after the other: each needs memory of many times its size.
  for (const audited of files) {
    const end = now() + LONGEST_SCAN;
    const found = await findingsIn(audited, () => now() > end);
    if (found === undefined) {
      left.push({
        file: audited.file,
        why: `it was looked through for ${LONGEST_SCAN / 1000} s without an end`,
      });
    } else {
      scanned.push(audited.file);
      findings = findings.concat(found);
    }
  }
  const count = (code: AuditFinding['code']): number => findings.filter((one) => one.code === code).length;
  return {
    version: 1,
    status: findings.length > 0 ? 'findings' : left.length > 0 ? 'incomplete' : 'clean',
    filesScanned: scanned,
    filesUnread: left,
    filesSkipped: skipped,
    summary: {
      plaintextCount: count('PLAINTEXT_FOUND'),
      legacyResidueCount: count('LEGACY_RESIDUE'),
      placeholderCount: count('PLACEHOLDER_VALUE'),
    },
    findings,
  };
}

interface Found extends Span {
  readonly kind: string;
  readonly isPlaceholder: boolean;
}

/** Undefined when the time was up. */
async function findingsIn(audited: AuditedText, isLate: () => boolean): Promise<AuditFinding[] | undefined> {
  const text = audited.text.replace(/^\uFEFF/, '');
  const lines = new Lines(text);
  const { values, inner } = valuesIn(audited.file, text, lines);
  if (isLate()) return undefined;
  // What its name tells, its form need not; and the other way round for what stands in the middle of a text.
  const tokens = await knownTokens(text, isLate);
  if (tokens === undefined) return undefined;
  const named = judged(values);
  const known = tokens.map(({ start, end, service, isPlaceholder }): Found => ({
    start,
    end,
    kind: `a credential of the kind "${service}"`,
    isPlaceholder,
  }));
  const taken = new Spans();
  const starts = values.map(({ span }) => span.start);
  const pathAt = ({ start }: Span): string => {
    const value = values[lastUpTo(starts, start)];
    return value !== undefined && start < value.span.end ? shownPath(value.path) : '';
  };
  return [named, known, judged(inner)]
    .flatMap((all) => all.filter((one) => taken.add(one)))
    .toSorted((a, b) => a.start - b.start)
    .map((one) => finding(audited, one, lines.position(one.start), pathAt(one)));
}

/** What has a name of its own, in its order, and what has one in the middle of a text. */
function valuesIn(file: string, text: string, lines: Lines) {
  const isEnv = isEnvFile(file);
  const json = isEnv ? undefined : valuesOfJson(text);
  const values: NamedValue[] = json ?? (isEnv ? valuesOfEnv(text) : valuesOfBrokenJson(text));
  return {
    values: values.toSorted((a, b) => a.span.start - b.span.start),
    inner: json === undefined ? valuesOfText(text, lines, { file }) : innerValuesOfJson(text),
  };
}

function judged(values: readonly NamedValue[]): Found[] {
  return values.flatMap((value) => {
    const found = judge(value);
    return found === undefined ? [] : [{ ...value.span, ...found }];
  });
}

/** Places of a text of which none is in another. */
class Spans {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** Whether it is new. */
  add({ start, end }: Span): boolean {
    const at = lastUpTo(this.#starts, end - 1);
    if (at >= 0 && (this.#ends[at] ?? 0) > start) return false;
    this.#starts.splice(at + 1, 0, start);
    this.#ends.splice(at + 1, 0, end);
    return true;
  }
}

/** A path without the names in it that look like credentials themselves. */
function shownPath(path: string): string {
  return plainText(
    path.replaceAll(/[^.[\]"\s]{20,}/g, (part) => (part.length > 64 || looksRandom(part) ? '…' : part)),
  );
}

/** The index of the last number that is not above another; -1 for none. */
function lastUpTo(numbers: readonly number[], highest: number): number {
  let low = -1;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((numbers[middle] ?? 0) <= highest) low = middle;
    else high = middle - 1;
  }
  return low;
}

function finding(
  { file, isResidue }: AuditedText,
  { kind, isPlaceholder }: Found,
  { line, column }: { line: number; column: number },
  path: string,
): AuditFinding {
  const place = { file, line, column, ...(path !== '' && { jsonPath: path }) };
  if (isPlaceholder) {
    const message = `${kind} only stands for a secret; remove it, or grant the agent the real one`;
    return { code: 'PLACEHOLDER_VALUE', severity: 'warn', ...place, message };
  }
  if (isResidue) {
    const message = `${kind} is left here in plain text; delete the file, and change the credential, since it could be read`;
    return { code: 'LEGACY_RESIDUE', severity: 'error', ...place, message };
  }
  const message = `${kind} is here in plain text; put it where a provider reads it, grant it to the agent, and change it`;
  return { code: 'PLAINTEXT_FOUND', severity: 'error', ...place, message };
}
