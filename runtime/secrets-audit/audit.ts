import { basename } from 'node:path';
import { judge } from './credentials.ts';
import type { AuditedFile, AuditedFiles, UnreadFile } from './files.ts';
import type { AuditFinding } from './finding.ts';
import { knownTokens } from './known-tokens.ts';
import { valuesOfEnv, valuesOfJson, valuesOfText } from './named-values.ts';

/** What an audit found; JSON-safe, without any value. */
export interface AuditReport {
  readonly version: 1;
  readonly status: 'clean' | 'findings';
  readonly filesScanned: readonly string[];
  readonly filesUnread: readonly UnreadFile[];
  readonly summary: {
    readonly plaintextCount: number;
    readonly legacyResidueCount: number;
    readonly placeholderCount: number;
  };
  readonly findings: readonly AuditFinding[];
}

/** Looks for credentials in plain text. Reads files and nothing else: no provider is called. */
export async function auditFiles({ files, unread }: AuditedFiles): Promise<AuditReport> {
  const found = await Promise.all(files.map(findingsIn));
  const findings = found.flat();
  const count = (code: AuditFinding['code']): number => findings.filter((one) => one.code === code).length;
  return {
    version: 1,
    status: findings.length === 0 ? 'clean' : 'findings',
    filesScanned: files.map(({ file }) => file),
    filesUnread: unread,
    summary: {
      plaintextCount: count('PLAINTEXT_FOUND'),
      legacyResidueCount: count('LEGACY_RESIDUE'),
      placeholderCount: count('PLACEHOLDER_VALUE'),
    },
    findings,
  };
}

async function findingsIn(audited: AuditedFile): Promise<AuditFinding[]> {
  const { file, text } = audited;
  const isEnv = /(?:^|\.)env(?:\.|$)/.test(basename(file));
  const values = isEnv ? valuesOfEnv(text) : (valuesOfJson(text) ?? valuesOfText(text));
  const named = values.flatMap((value) => {
    const judged = judge(value);
    return judged === undefined ? [] : [finding(audited, { ...value, ...judged })];
  });
  const lines = new Set(named.map(({ line }) => line));
  // One finding a line: what its name tells already, its form need not.
  const tokens = (await knownTokens(text))
    .filter(({ line }) => !lines.has(line) && lines.add(line))
    .map(({ line, service }) => {
      const path = values.find((value) => value.line === line)?.path ?? '';
      return finding(audited, {
        line,
        path,
        kind: `a credential of the kind "${service}"`,
        isPlaceholder: false,
      });
    });
  return [...named, ...tokens].toSorted((a, b) => a.line - b.line);
}

function finding(
  { file, isResidue }: AuditedFile,
  { line, path, kind, isPlaceholder }: { line: number; path: string; kind: string; isPlaceholder: boolean },
): AuditFinding {
  const place = { file, line, ...(path !== '' && { jsonPath: path }) };
  if (isPlaceholder) {
    const message = `${kind} only stands for a secret; remove it, or grant the agent the real one`;
    return { code: 'PLACEHOLDER_VALUE', severity: 'warn', ...place, message };
  }
  if (isResidue) {
    const message = `${kind} is left here in plain text; delete the file, and change the credential, for it was there to be read`;
    return { code: 'LEGACY_RESIDUE', severity: 'error', ...place, message };
  }
  const message = `${kind} is here in plain text; put it where a provider reads it, grant it to the agent, and change it`;
  return { code: 'PLAINTEXT_FOUND', severity: 'error', ...place, message };
}
