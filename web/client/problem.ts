import type { components } from './schema'
import type { SessionReason } from './types'

/** The stable codes of the server's problems, and two that only a client meets. */
export type ProblemCode =
  | components['schemas']['Problem']['code']
  /** The server could not be reached. */
  | 'network'
  /** Something answered that is not Belfry, a proxy's error page for one. */
  | 'unexpected'

export type FieldError = components['schemas']['FieldError']

interface ProblemBody {
  code?: ProblemCode
  title?: string
  detail?: string
  errors?: FieldError[]
  reason?: SessionReason
  attempts_left?: number
}

/** A request that did not succeed: RFC 9457 problem details, as an error. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  /** The HTTP status, or 0 when nothing answered. */
  readonly status: number
  /** One entry for each field that was wrong. */
  readonly errors: readonly FieldError[]
  /** Why the session named by the cookie is over, where the server says so. */
  readonly reason: SessionReason | null
  /** How many wrong passwords the session still bears. */
  readonly attemptsLeft: number | null
  /** How long to wait before asking again, in milliseconds. */
  readonly retryAfterMs: number | null

  constructor(status: number, body: ProblemBody, retryAfterMs: number | null = null) {
    super(body.detail ?? body.title ?? body.code ?? `HTTP ${status}`)
    this.status = status
    this.code = body.code ?? 'unexpected'
    this.errors = body.errors ?? []
    this.reason = body.reason ?? null
    this.attemptsLeft = body.attempts_left ?? null
    this.retryAfterMs = retryAfterMs
  }

  /** The problem of a server that could not be reached at all. */
  static network(): Problem {
    return new Problem(0, { code: 'network', title: 'The server cannot be reached' })
  }

  /** Reads a refusal. A body that is no problem document is not shown to anyone. */
  static async from(response: Response): Promise<Problem> {
    const seconds = Number(response.headers.get('Retry-After') ?? NaN)
    const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null
    let body: ProblemBody = {}
    if (response.headers.get('Content-Type')?.startsWith('application/problem+json')) {
      body = (await response.json().catch(() => ({}))) as ProblemBody
    }
    return new Problem(response.status, body, retryAfterMs)
  }
}
