/** What ends the pause of a gateway that was started with `--paused`. */
export const RESUME = 'holdfast gateway resume';

/** What a gateway says while it is paused. */
export const PAUSED = `agents handle nothing until ${RESUME}`;
