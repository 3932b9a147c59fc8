import { Problem } from './problem'
import type {
  Account,
  Notice,
  NoticeDraft,
  NoticePage,
  NoticeQuery,
  Recipient,
  Role,
  Session,
} from './types'

export interface ApiOptions {
  /**
   * The server's origin, for a page that another origin serves.
   * @default '' the page's own
   */
  baseUrl?: string
  /** @default globalThis.fetch */
  fetch?: typeof fetch
  /**
   * Hears of refusals before the caller does: where a page reacts to 401 and 423. Not of a 401
   * that is about a password just given, for that says nothing of the session.
   */
  onProblem?: (problem: Problem) => void
}

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

const PASSWORD_PATHS = ['/login', '/session/unlock', '/session/reauthenticate']

const noticePath = (id: number) => `/notices/${id}`
const sessionPath = (id: string) => `/sessions/${encodeURIComponent(id)}`

/** The REST interface, one method a route. Every refusal is thrown as a {@link Problem}. */
export class Api {
  private readonly base: string
  private readonly fetch: typeof fetch
  private readonly onProblem: (problem: Problem) => void

  constructor(options: ApiOptions = {}) {
    this.base = `${options.baseUrl ?? ''}/api/v1`
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
    this.onProblem = options.onProblem ?? (() => undefined)
  }

  login(username: string, password: string) {
    return this.call<Session>('POST', '/login', { username, password })
  }
  logout() {
    return this.send('POST', '/logout')
  }
  /** The present session, active or locked; asking extends nothing. */
  session() {
    return this.call<Session>('GET', '/session')
  }
  /** Says that the user did something: what keeps a session from going idle. */
  activity() {
    return this.call<Session>('POST', '/session/activity')
  }
  lock() {
    return this.call<Session>('POST', '/session/lock')
  }
  unlock(password: string) {
    return this.call<Session>('POST', '/session/unlock', { password })
  }
  reauthenticate(password: string) {
    return this.send('POST', '/session/reauthenticate', { password })
  }
  changePassword(current: string, next: string) {
    return this.send('POST', '/password', { current, new: next })
  }

  async sessions() {
    return (await this.call<{ items: Session[] }>('GET', '/sessions')).items
  }
  lockSession(id: string) {
    return this.call<Session>('POST', `${sessionPath(id)}/lock`)
  }
  endSession(id: string) {
    return this.send('DELETE', sessionPath(id))
  }
  endOtherSessions() {
    return this.send('DELETE', '/sessions')
  }

  notices(query: NoticeQuery = {}) {
    return this.call<NoticePage>('GET', `/notices${search(query)}`)
  }
  notice(id: number) {
    return this.call<Notice>('GET', noticePath(id))
  }
  patchNotice(id: number, change: { read?: boolean; archived?: boolean }) {
    return this.call<Notice>('PATCH', noticePath(id), change)
  }
  /** Marks many at once: by id, or everything in the inbox at or before a cursor. */
  markNotices(
    which: { ids: number[] } | { up_to: string },
    change: { read?: boolean; archived?: boolean },
  ) {
    return this.call<{ changed: number; unread: number }>('POST', '/notices/state', {
      ...which,
      ...change,
    })
  }
  /**
   * Publishes a notice; it is durable when this resolves.
   * @param idempotencyKey the same key makes a repeat after a lost answer harmless
   */
  publish(draft: NoticeDraft, idempotencyKey: string) {
    return this.call<{ id: number; cursor: string | null }>('POST', '/notices', draft, {
      'Idempotency-Key': idempotencyKey,
    })
  }
  /** Whom the user may write to, at most 20. */
  async recipients(q: string) {
    return (await this.call<{ items: Recipient[] }>('GET', `/recipients${search({ q })}`)).items
  }

  users(before?: string) {
    const query = before === undefined ? {} : { before }
    return this.call<{ items: Account[]; next_before: string | null }>(
      'GET',
      `/users${search(query)}`,
    )
  }
  createUser(user: { username: string; display_name?: string; password: string; role: Role }) {
    return this.call<Account>('POST', '/users', user)
  }

  /** Calls a route that answers with nothing. */
  private async send(method: Method, path: string, body?: unknown): Promise<void> {
    await this.call<null>(method, path, body)
  }

  private async call<T>(
    method: Method,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const init: RequestInit = { method, headers, credentials: 'include', cache: 'no-store' }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { ...headers, 'Content-Type': 'application/json' }
    }
    const response = await this.fetch(this.base + path, init).catch(() => null)
    if (response?.ok) {
      return (response.status === 204 ? null : await response.json()) as T
    }
    const problem = response ? await Problem.from(response) : Problem.network()
    if (problem.status !== 401 || !PASSWORD_PATHS.includes(path)) this.onProblem(problem)
    throw problem
  }
}

function search(query: object): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value))
  }
  const text = params.toString()
  return text && `?${text}`
}
