import { Problem } from './problem'
import type {
  Ceremony,
  CredentialJson,
  Factors,
  Notice,
  NoticeDraft,
  NoticePage,
  NoticePatch,
  NoticeQuery,
  Passkey,
  Preferences,
  Receipt,
  Recipient,
  SentNotice,
  Session,
  SignInOffer,
  SignOnAnswer,
  StreamTicket,
  TotpSecret,
  UnlockOffer,
  User,
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
   * that is about a proof just given, for that says nothing of the session.
   */
  onProblem?: (problem: Problem) => void
}

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/** Where a 401 is about what was just given to prove who somebody is. */
const PROOF_PATHS = [
  '/login',
  '/login/passkey',
  '/login/oidc/finish',
  '/session/unlock',
  '/session/unlock/passkey',
  '/session/reauthenticate',
  '/session/reauthenticate/passkey',
]

const noticePath = (id: number) => `/notices/${id}`
const sessionPath = (id: string) => `/sessions/${encodeURIComponent(id)}`

/** The REST interface, one method a route. Every refusal is thrown as a {@link Problem}. */
export class Api {
  readonly base: string
  private readonly fetch: typeof fetch
  private readonly onProblem: (problem: Problem) => void

  constructor(options: ApiOptions = {}) {
    this.base = `${options.baseUrl ?? ''}/api/v1`
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
    this.onProblem = options.onProblem ?? (() => undefined)
  }

  /** @param code from an authenticator app, or a recovery code, where the server asks for one */
  login(username: string, password: string, code?: string) {
    const proof = code === undefined ? {} : { code }
    return this.call<Session>('POST', '/login', { username, password, ...proof })
  }
  /** How one may sign in here; anyone may ask. */
  signInOffer() {
    return this.call<SignInOffer>('GET', '/login')
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
  /** How the present session may be unlocked; answered while it is locked. */
  unlockOffer() {
    return this.call<UnlockOffer>('GET', '/session/unlock')
  }
  reauthenticate(password: string) {
    return this.send('POST', '/session/reauthenticate', { password })
  }
  changePassword(current: string, next: string) {
    return this.send('POST', '/password', { current, new: next })
  }
  /** Sets a forgotten password by the token of a reset link, and ends the user's sessions. */
  resetPassword(token: string, next: string) {
    return this.send('POST', '/password/reset', { token, new: next })
  }

  beginPasskeyLogin() {
    return this.begin<PublicKeyCredentialRequestOptionsJSON>('/login/passkey/options')
  }
  finishPasskeyLogin(ceremony: string, credential: CredentialJson) {
    return this.call<Session>('POST', '/login/passkey', { ceremony, credential })
  }
  beginPasskeyUnlock() {
    return this.begin<PublicKeyCredentialRequestOptionsJSON>('/session/unlock/passkey/options')
  }
  finishPasskeyUnlock(ceremony: string, credential: CredentialJson) {
    return this.call<Session>('POST', '/session/unlock/passkey', { ceremony, credential })
  }
  beginPasskeyReauthentication() {
    return this.begin<PublicKeyCredentialRequestOptionsJSON>(
      '/session/reauthenticate/passkey/options',
    )
  }
  finishPasskeyReauthentication(ceremony: string, credential: CredentialJson) {
    return this.send('POST', '/session/reauthenticate/passkey', { ceremony, credential })
  }

  /** Begins a sign-in at the provider. @returns where to send the browser */
  beginSignOn() {
    return this.call<{ url: string }>('POST', '/login/oidc')
  }
  beginSignOnUnlock() {
    return this.call<{ url: string }>('POST', '/session/unlock/oidc')
  }
  beginSignOnReauthentication() {
    return this.call<{ url: string }>('POST', '/session/reauthenticate/oidc')
  }
  /** Does what was begun with the provider: signs in, unlocks or confirms. */
  finishSignOn(answer: SignOnAnswer) {
    return this.call<Session>('POST', '/login/oidc/finish', answer)
  }

  factors() {
    return this.call<Factors>('GET', '/factors')
  }
  /** Makes a secret for an authenticator app; it counts once a code has confirmed it. */
  createTotp() {
    return this.call<TotpSecret>('POST', '/totp')
  }
  /** @returns the recovery codes, which are never shown again */
  async confirmTotp(code: string) {
    return (await this.call<{ recovery_codes: string[] }>('POST', '/totp/confirm', { code }))
      .recovery_codes
  }
  deleteTotp() {
    return this.send('DELETE', '/totp')
  }
  /** Replaces the recovery codes by new ones. */
  async makeRecoveryCodes() {
    return (await this.call<{ recovery_codes: string[] }>('POST', '/recovery-codes')).recovery_codes
  }

  async passkeys() {
    return (await this.call<{ items: Passkey[] }>('GET', '/passkeys')).items
  }
  beginPasskey() {
    return this.begin<PublicKeyCredentialCreationOptionsJSON>('/passkeys/options')
  }
  addPasskey(ceremony: string, name: string, credential: CredentialJson) {
    return this.call<Passkey>('POST', '/passkeys', { ceremony, name, credential })
  }
  deletePasskey(id: number) {
    return this.send('DELETE', `/passkeys/${id}`)
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
    return this.call<NoticePage>('GET', `/notices${queryString(query)}`)
  }
  notice(id: number) {
    return this.call<Notice>('GET', noticePath(id))
  }
  patchNotice(id: number, change: NoticePatch) {
    return this.call<Notice>('PATCH', noticePath(id), change)
  }
  /** Marks many at once: by id, or everything in the inbox at or before a cursor. */
  markNotices(which: { ids: number[] } | { up_to: string }, change: NoticePatch) {
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
  /** What the user has sent or scheduled, newest first. */
  sent(query: { before?: string; limit?: number } = {}) {
    return this.call<{ items: SentNotice[]; next_before: string | null }>(
      'GET',
      `/notices/sent${queryString(query)}`,
    )
  }
  /** Takes a notice back from every inbox; a scheduled one never reaches any. */
  withdraw(id: number) {
    return this.send('DELETE', noticePath(id))
  }
  /** Who has read it, the last one first; its sender and administrators may ask. */
  receipts(id: number, before?: string) {
    return this.call<{ items: Receipt[]; next_before: string | null }>(
      'GET',
      `${noticePath(id)}/receipts${queryString({ before })}`,
    )
  }
  /** Whom the user may write to, at most 20. */
  async recipients(q: string) {
    return (await this.call<{ items: Recipient[] }>('GET', `/recipients${queryString({ q })}`))
      .items
  }

  preferences() {
    return this.call<Preferences>('GET', '/preferences')
  }
  /** Replaces all of them; what is left out becomes the default. */
  savePreferences(preferences: Preferences) {
    return this.call<Preferences>('PUT', '/preferences', preferences)
  }
  /** Changes what the user may change of their own account. */
  updateProfile(change: { display_name: string }) {
    return this.call<User>('PATCH', '/profile', change)
  }

  /** The server's public key, base64url, that a push subscription is made for (RFC 8292). */
  async pushKey() {
    return (await this.call<{ key: string }>('GET', '/push/key')).key
  }
  /** Has notices pushed to this browser for as long as the session lasts. */
  subscribePush(subscription: PushSubscriptionJSON) {
    return this.send('POST', '/push/subscriptions', subscription)
  }
  unsubscribePush(endpoint: string) {
    return this.send('DELETE', '/push/subscriptions', { endpoint })
  }

  /** A ticket for a stream that cannot send the cookie; it ends with the session. */
  streamTicket() {
    return this.call<StreamTicket>('POST', '/stream-tickets')
  }

  /** The address of a path of the interface, for what a browser fetches by itself. */
  url(path: string): string {
    return this.base + path
  }

  private begin<Options>(path: string) {
    return this.call<Ceremony<Options>>('POST', path)
  }

  /** Calls a route that answers with nothing. */
  async send(method: Method, path: string, body?: unknown): Promise<void> {
    await this.call<null>(method, path, body)
  }

  /** Calls a route that has no method of its own here. */
  async call<T>(
    method: Method,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const response = await this.request(method, path, body, headers)
    return (response.status === 204 ? null : await response.json()) as T
  }

  /** Makes a request of which no method tells, as other parts of the interface do. */
  async request(
    method: Method,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const init: RequestInit = { method, headers, credentials: 'include', cache: 'no-store' }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { ...headers, 'Content-Type': 'application/json' }
    }
    const response = await this.fetch(this.url(path), init).catch(() => null)
    if (response?.ok) return response
    const problem = response ? await Problem.from(response) : Problem.network()
    if (problem.status !== 401 || !PROOF_PATHS.includes(path)) this.onProblem(problem)
    throw problem
  }
}

/** A query as part of an address; what is empty or undefined is left out. */
export function queryString(query: object): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value))
  }
  const text = params.toString()
  return text && `?${text}`
}
