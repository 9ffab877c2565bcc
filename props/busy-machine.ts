/** For pools of properties: a machine that is busy with something else has a minute to start a thread, and fails nothing. */
export const ON_A_BUSY_MACHINE = { startTimeoutMs: 60_000 };
