export { ConfigError, HoldfastError, type ConfigProblem, type HoldfastErrorCode } from './errors.ts';
