/** What one look came to. */
export interface DoctorFinding {
  /** Stable, such as `module` or `clock`. */
  readonly checkId:
    | 'node'
    | 'config'
    | 'module'
    | 'isolation'
    | 'grants'
    | 'secret'
    | 'clock'
    | 'mcp'
    | 'options'
    | 'store'
    | 'tls';
  readonly severity: 'ok' | 'warn' | 'error';
  readonly message: string;
  /** What to do. */
  readonly fix?: string;
}
