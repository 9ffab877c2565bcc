/** What the command ends with; scripts and supervisors may rely on it. */
export const EXIT = {
  ok: 0,
  /** Something that was looked for was found, or what was asked for failed. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** `EX_CONFIG` of sysexits: the config is invalid, and to start again does not help. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
