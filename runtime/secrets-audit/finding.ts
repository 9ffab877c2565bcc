/** One place where a credential stands in plain text. Never the value, nor a part of it. */
export interface AuditFinding {
  /**
   * `PLAINTEXT_FOUND` in a config or beside it; `LEGACY_RESIDUE` in what was left behind: backups, and versions of before;
   * `PLACEHOLDER_VALUE`: what stands for a secret and would be used as one.
   */
  readonly code: 'PLAINTEXT_FOUND' | 'LEGACY_RESIDUE' | 'PLACEHOLDER_VALUE';
  readonly severity: 'error' | 'warn';
  /** Absolute path. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units: where the value starts, in JSON5 its quotes. */
  readonly column: number;
  /** Where in a config, or the name in an `.env`; absent in other text. */
  readonly jsonPath?: string;
  /** What it is and what to do. */
  readonly message: string;
}
