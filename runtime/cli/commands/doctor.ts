import { examine } from '../../doctor/examine.ts';
import { configFile, noConfig } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, type Terminal } from '../terminal.ts';

export interface DoctorOptions {
  readonly config?: string;
  readonly json?: boolean;
}

const marks = { ok: ['green', '✓'], warn: ['yellow', '!'], error: ['red', '✗'] } as const;

/** Looks at what a start needs, and says of what is wrong how to mend it. */
export async function doctor({ config, json }: DoctorOptions, terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal;
  const file = configFile(config, terminal);
  if (file === undefined) throw noConfig();
  const findings = await examine(file);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.filter(({ severity }) => severity === 'warn').length;
  const ok = errors === 0;
  if (json === true) {
    const report = { schemaVersion: 1, ok, checksRun: findings.length, findings };
    stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  } else {
    const colour = paint(terminal);
    for (const { severity, message, fix } of findings) {
      const [style, mark] = marks[severity];
      stdout.write(
        `${colour(style, mark)} ${indented(message)}\n${fix === undefined ? '' : `  ${colour('dim', fix)}\n`}`,
      );
    }
    stdout.write(`\nlooks: ${findings.length}, errors: ${errors}, warnings: ${warnings}\n`);
  }
  return ok ? EXIT.ok : EXIT.failed;
}

/** A finding begins its line; what it quotes does not. */
function indented(message: string): string {
  return message.replaceAll('\n', '\n    ');
}
