import { queryString, type Api } from './api'
import type {
  Account,
  AuditEntry,
  AuditQuery,
  Group,
  Key,
  KeyDraft,
  NewKey,
  NewWebhook,
  Page,
  Role,
  Session,
  SettledUser,
  Stats,
  StreamList,
  UserChange,
  WantedUser,
  Webhook,
} from './types'

const userPath = (username: string) => `/users/${encodeURIComponent(username)}`
const groupPath = (name: string) => `/groups/${encodeURIComponent(name)}`
const memberPath = (name: string, username: string) =>
  `${groupPath(name)}/members/${encodeURIComponent(username)}`

/** What administrators may do beside, one method a route. Every refusal is thrown as a {@link Problem}. */
export class AdminApi {
  private readonly api: Api

  constructor(api: Api) {
    this.api = api
  }

  /** People by user name. @param q a part of the user name or of the name shown */
  users(query: { q?: string; before?: string | undefined } = {}) {
    return this.api.call<Page<Account>>('GET', `/users${queryString(query)}`)
  }
  createUser(user: { username: string; display_name?: string; password: string; role: Role }) {
    return this.api.call<Account>('POST', '/users', user)
  }
  /**
   * Makes a person as wanted, all of it or nothing: adds who is not there, without a password.
   * @param dry only tells what would be done
   */
  settleUser(username: string, want: WantedUser, dry: boolean) {
    const path = `${userPath(username)}${dry ? '?dry_run=true' : ''}`
    return this.api.call<SettledUser>('PUT', path, want)
  }
  /** Being disabled ends the user's sessions. */
  updateUser(username: string, change: UserChange) {
    return this.api.call<Account>('PATCH', userPath(username), change)
  }
  /** Deletes a user with their sessions and memberships. What they sent stays. */
  deleteUser(username: string) {
    return this.api.send('DELETE', userPath(username))
  }
  /** Makes a link by which the user may set a new password, once. */
  createResetLink(username: string) {
    return this.api.call<{ url: string; expires_at: string }>(
      'POST',
      `${userPath(username)}/reset-link`,
    )
  }
  /** Removes the authenticator app, recovery codes and passkeys of someone who lost them. */
  deleteFactors(username: string) {
    return this.api.send('DELETE', `${userPath(username)}/factors`)
  }
  /** Locks all sessions of a user. @returns how many there were to lock */
  async lockSessionsOf(username: string) {
    return (await this.api.call<{ count: number }>('POST', `${userPath(username)}/sessions/lock`))
      .count
  }
  endSessionsOf(username: string) {
    return this.api.send('DELETE', `${userPath(username)}/sessions`)
  }

  /** Everybody's sessions that have not ended, the newest first. @param q a part of whose they are */
  sessions(query: { q?: string; before?: string | undefined } = {}) {
    return this.api.call<Page<Session>>('GET', `/everyone/sessions${queryString(query)}`)
  }
  lockSession(id: string) {
    return this.api.call<Session>('POST', `/everyone/sessions/${encodeURIComponent(id)}/lock`)
  }
  endSession(id: string) {
    return this.api.send('DELETE', `/everyone/sessions/${encodeURIComponent(id)}`)
  }
  /** Locks every session but this one. @returns how many there were to lock */
  async lockEveryone() {
    return (await this.api.call<{ count: number }>('POST', '/everyone/sessions/lock')).count
  }
  /** Ends every session but this one. */
  endEveryone() {
    return this.api.send('DELETE', '/everyone/sessions')
  }

  async groups() {
    return (await this.api.call<{ items: Group[] }>('GET', '/groups')).items
  }
  createGroup(group: { name: string; display_name?: string }) {
    return this.api.call<Group>('POST', '/groups', group)
  }
  /** Under another name it stays the same group. Disabled, it takes no new notices. */
  updateGroup(name: string, change: { name?: string; display_name?: string; disabled?: boolean }) {
    return this.api.call<Group>('PATCH', groupPath(name), change)
  }
  deleteGroup(name: string) {
    return this.api.send('DELETE', groupPath(name))
  }
  join(name: string, username: string) {
    return this.api.call<Group>('PUT', memberPath(name, username))
  }
  leave(name: string, username: string) {
    return this.api.send('DELETE', memberPath(name, username))
  }

  async keys() {
    return (await this.api.call<{ items: Key[] }>('GET', '/keys')).items
  }
  /** @returns the key with its secret, which is never shown again */
  createKey(key: KeyDraft) {
    return this.api.call<NewKey>('POST', '/keys', key)
  }
  revokeKey(id: number) {
    return this.api.send('DELETE', `/keys/${id}`)
  }

  /** Streams of all nodes: those most behind first. @param user whose alone, by user name */
  streams(query: { user?: string } = {}) {
    return this.api.call<StreamList>('GET', `/streams${queryString(query)}`)
  }
  /** How all nodes are, and what became of what they delivered. */
  stats() {
    return this.api.call<Stats>('GET', '/stats')
  }

  async webhooks() {
    return (await this.api.call<{ items: Webhook[] }>('GET', '/webhooks')).items
  }
  /** @returns the webhook with what its messages are signed with, which is never shown again */
  createWebhook(webhook: { url: string; events?: string[] }) {
    return this.api.call<NewWebhook>('POST', '/webhooks', webhook)
  }
  deleteWebhook(id: number) {
    return this.api.send('DELETE', `/webhooks/${id}`)
  }

  audit(query: AuditQuery = {}) {
    return this.api.call<Page<AuditEntry>>('GET', `/audit${queryString(query)}`)
  }
  /** Where a browser can download the whole of it, a JSON object a line. */
  auditExportUrl(query: AuditQuery = {}): string {
    return this.api.url(`/audit/export${queryString(query)}`)
  }
}
