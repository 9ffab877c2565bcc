/**
 * The bytes of a state above which it is committed by itself, at most half of the time: all others would wait for each of
 * its commits. It takes about as long to write as a hundred states of a few KB.
 */
export const LARGE_STATE = 256 * 1024;
