export { Api, type ApiOptions } from './api'
export { type Environment, browserEnvironment } from './environment'
export { atOrBefore } from './position'
export { Problem, type FieldError, type ProblemCode } from './problem'
export {
  Stream,
  type ConnectionStatus,
  type Positioned,
  type StreamEvents,
  type StreamOptions,
} from './stream'
export type * from './types'
