import { dirname, relative, resolve } from 'node:path';
import { plainText } from '../../config/received.ts';
import { auditFiles, type AuditReport } from '../../secrets-audit/audit.ts';
import { filesBeside, filesIncluded, filesNamed, filesOfState, together } from '../../secrets-audit/files.ts';
import { DEFAULT_CONFIG } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface AuditOptions {
  /** Exit with 1 when something was found, or not looked at. */
  readonly check?: boolean;
  readonly json?: boolean;
}

/** Lines of a kind that are printed; `--json` has them all. */
const mostPrinted = 50;

/** Looks for credentials in plain text: in the files that are named, or the config, what it includes, what lies beside it, and backups. */
export async function secretsAudit(
  paths: readonly string[],
  { check, json }: AuditOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, cwd } = terminal;
  const config = resolve(cwd, DEFAULT_CONFIG);
  const files =
    paths.length === 0
      ? together(await filesBeside(config), await filesOfState(dirname(config)), await filesIncluded(config))
      : await filesNamed(paths, cwd);
  const report = await auditFiles(files);
  stdout.write(json === true ? `${JSON.stringify(report, undefined, 2)}\n` : text(report, terminal));
  return check === true && report.status !== 'clean' ? EXIT.failed : EXIT.ok;
}

function text(report: AuditReport, terminal: Terminal): string {
  const colour = paint(terminal);
  const { status, filesScanned, filesUnread, filesSkipped, findings } = report;
  const { plaintextCount, legacyResidueCount, placeholderCount } = report.summary;
  const shown = (file: string): string => plainText(relative(terminal.cwd, file) || file);
  const verdict = status === 'clean' ? colour('green', status) : colour('red', status);
  const unread = filesUnread.length === 0 ? '' : `, unread=${filesUnread.length}`;
  const head = `Secrets audit: ${verdict}. files=${filesScanned.length}, plaintext=${plaintextCount}, residue=${legacyResidueCount}, placeholders=${placeholderCount}${unread}.\n`;
  const found = findings.map(({ code, severity, file, line, column, jsonPath, message }) => {
    const label = colour(severity === 'error' ? 'red' : 'yellow', `[${code}]`);
    const place = `${shown(file)}:${line}:${column}`;
    return `- ${label} ${place}${jsonPath === undefined ? '' : ` ${jsonPath}`}: ${message}\n`;
  });
  const left = filesUnread.map(({ file, why }) => `- not looked at: ${shown(file)}, ${why}\n`);
  const skipped = filesSkipped.map(({ file, why }) => `- skipped: ${shown(file)}, ${why}\n`);
  return [head, ...most(found), ...most(left), ...most(skipped)].join('');
}

function most(lines: readonly string[]): readonly string[] {
  const more = lines.length - mostPrinted;
  return more > 0 ? [...lines.slice(0, mostPrinted), `... ${more} more; --json has them all\n`] : lines;
}
