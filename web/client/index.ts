export { Api, type ApiOptions } from './api'
export { type Environment, type TabEnvironment, browserEnvironment } from './environment'
export type { StreamRole } from './links'
export { atOrBefore } from './position'
export { Problem, type FieldError, type ProblemCode } from './problem'
export type {
  ConnectionEvents,
  ConnectionStatus,
  StreamCredential,
  StreamOptions,
} from './event-stream'
export { Stream, type Positioned, type StreamEvents } from './stream'
export { SharedStream } from './shared'
export type { SharedEvents, SharedStreamOptions } from './shared-options'
export { ticketFrom } from './ticket'
export type * from './types'
