import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * What a test may read of its process, and what it may change because that is put back after each file (as-found.ts, and
 * Vitest itself); everything else of it may change the process, or tell what others left in it.
 */
const OWN = String.raw`(?:execPath|platform|versions?|pid|arch|getuid|cwd\(|chdir\(|kill\(|exit\(|env\b(?!\s*=[^=]))`;
const PUT_BACK =
  '(?:fn|waitFor|waitUntil|mocked|spyOn|restoreAllMocks|setConfig|(?:un)?stub\\w+|use\\w+Timers|advanceTimers\\w*)';

/** What changes, watches or measures the process in which a test runs. */
const OF_THE_PROCESS = [
  String.raw`(?<![-/\w])process\.(?!${OWN})\w`,
  String.raw`\bdelete process\b(?!\.env\b[.[])|[=(,] ?process\b(?!\.)|\bimport (?!\{ (?:env|execPath)(?:, (?:env|execPath))* \})[^;]*'node:process'`,
  String.raw`\bvi\.(?!${PUT_BACK}\b)\w`,
  String.raw`(?<!typeof )\bglobalThis\b|\bError\.(?:stackTraceLimit|prepareStackTrace)`,
  String.raw`\.prototype(?:\.\w+|\[[^\]]*\])*\s*=[^=]|\b(?:patch|defineProperty|assign|delete)\b[^;]*\.prototype\b`,
  String.raw`(?<!import \{ createRequire \} from ')node:(?:cluster|diagnostics_channel|inspector|module|perf_hooks|trace_events)|\bsetFlags|\bqueryObjects\(`,
  String.raw`\bsetGlobal\w*|@opentelemetry/|jsdom`,
  // The processes that this one has started.
  String.raw`\('ps',`,
];
/** What is true until something was done for the first time in a process. */
const ONCE = String.raw`\banyMarked\(\)`;
const changing = new RegExp([...OF_THE_PROCESS, ONCE].join('|'));

/** Whether code says anything that is about the whole process that runs it. */
export function isOfTheProcess(code: string): boolean {
  return changing.test(code.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, ''));
}

/**
 * The files of tests that need a process of their own, and those that may run one after another in the same: which
 * saves each of them the start of a process and the load of what it tests. A file is judged with the fixtures that it imports.
 */
export function byProcess(include: readonly string[], exclude: readonly string[] = []) {
  const judged = new Map<string, boolean>();
  const own = (file: string): boolean => {
    const known = judged.get(file);
    if (known !== undefined) return known;
    judged.set(file, false);
    const code = readFileSync(file, 'utf8');
    const is = isOfTheProcess(code) || fixturesOf(file, code).some(own);
    judged.set(file, is);
    return is;
  };
  const files = globSync(include, { cwd: root, exclude: [...exclude, '**/node_modules/**'] }).toSorted();
  return Map.groupBy(files, (file) => (own(join(root, file)) ? 'alone' : 'together'));
}

function fixturesOf(file: string, code: string): string[] {
  return Array.from(code.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g), ([, path = '']) =>
    join(dirname(file), path),
  ).filter((path) => /\/(?:fixtures|emulator)\/|\.fixture\.ts$/.test(path) && existsSync(path));
}
