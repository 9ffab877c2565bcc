import { relative, resolve } from 'node:path';
import { auditFiles, type AuditReport } from '../../secrets-audit/audit.ts';
import { filesBeside, filesNamed } from '../../secrets-audit/files.ts';
import { DEFAULT_CONFIG } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface AuditOptions {
  /** Exit with 1 when something was found. */
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Findings that are printed; `--json` has them all. */
const mostPrinted = 50;

/** Looks for credentials in plain text: in the files that are named, or the config, what lies beside it, and backups. */
export async function secretsAudit(
  paths: readonly string[],
  { check, json }: AuditOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, cwd } = terminal;
  const files =
    paths.length === 0 ? await filesBeside(resolve(cwd, DEFAULT_CONFIG)) : await filesNamed(paths, cwd);
  const report = await auditFiles(files);
  stdout.write(json === true ? `${JSON.stringify(report, undefined, 2)}\n` : text(report, terminal));
  const isIncomplete = report.filesUnread.length > 0;
  return check === true && (report.status === 'findings' || isIncomplete) ? EXIT.failed : EXIT.ok;
}

function text(report: AuditReport, terminal: Terminal): string {
  const colour = paint(terminal);
  const { status, filesScanned, filesUnread, findings } = report;
  const { plaintextCount, legacyResidueCount, placeholderCount } = report.summary;
  const shown = (file: string): string => relative(terminal.cwd, file) || file;
  const verdict = status === 'clean' ? colour('green', status) : colour('red', status);
  const head = `Secrets audit: ${verdict}. files=${filesScanned.length}, plaintext=${plaintextCount}, residue=${legacyResidueCount}, placeholders=${placeholderCount}.\n`;
  const lines = findings.slice(0, mostPrinted).map(({ code, severity, file, line, jsonPath, message }) => {
    const label = colour(severity === 'error' ? 'red' : 'yellow', `[${code}]`);
    return `- ${label} ${shown(file)}:${line}${jsonPath === undefined ? '' : ` ${jsonPath}`}: ${message}\n`;
  });
  const more = findings.length - mostPrinted;
  if (more > 0) lines.push(`... ${more} more; --json has them all\n`);
  const unread = filesUnread.map(({ file, why }) => `- not read: ${shown(file)}, ${why}\n`);
  return [head, ...lines, ...unread].join('');
}
