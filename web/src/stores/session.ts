import { Api, Problem, type Lock, type Session, type SessionReason } from '@client'
import { defineStore } from 'pinia'
import { computed, markRaw, ref, shallowRef } from 'vue'
import { deadlinesNow, type Deadlines } from './deadlines'

/**
 * What the page may show. `unknown` before the first answer; `checking` when a
 * deadline may have passed and the server has not said yet.
 */
export type Phase = 'unknown' | 'signed_out' | 'active' | 'checking' | 'locked' | 'ended'

const REPORT_AT_MOST_EVERY_MS = 30_000

/** How long a new cookie may be on its way to the browser, in steps of asking again. */
const COOKIE_UNDER_WAY_MS = [300, 1_500]

const isRefusal = (error: unknown): error is Problem =>
  error instanceof Problem && error.status === 401

/** The one authority on whether content may be shown, and for whom. */
export const useSession = defineStore('session', () => {
  const phase = ref<Phase>('unknown')
  const session = shallowRef<Session | null>(null)
  const reason = ref<SessionReason | null>(null)
  const deadlines = shallowRef<Deadlines | null>(null)
  /** The longest idle time seen: the setting, once anything counted as activity. */
  const idleMs = ref(0)
  const reachable = ref(true)
  let reportedAt = -Infinity
  /** Counts the locks heard of, so that an answer from before one cannot lift it. */
  let locks = 0
  /** The reader has locked, and the server has not said yet that it did: nothing else is asked of it. */
  let locking = false
  let checkUnderWay: Promise<void> | null = null
  /** Settles when the answer is there that carries this session's new cookie. */
  let newCookie: Promise<unknown> = Promise.resolve()

  const api = markRaw(new Api({ onProblem: refused }))
  /** Whose data the page holds, from the first sign-in until it is loaded anew. */
  const owner = computed(() => session.value?.user ?? null)
  /** Ended on purpose, so that nothing of the page is kept for whoever comes next. */
  const shutOut = computed(() => reason.value === 'logout' || reason.value === 'disabled')
  const covered = computed(() => phase.value !== 'active')

  function hear(idleRemainingMs: number, maxRemainingMs: number): void {
    reachable.value = true
    idleMs.value = Math.max(idleMs.value, idleRemainingMs)
    deadlines.value = deadlinesNow(idleRemainingMs, maxRemainingMs)
  }

  /** Takes over what the server says of the session. */
  function adopt(next: Session): void {
    const other = owner.value && owner.value.username !== next.user.username
    if (other || (phase.value === 'ended' && shutOut.value)) return startClean()
    // Another tab may ask before the server has heard of the lock: that is no answer to it.
    if (locking && next.state === 'active') return void check()
    locking = false
    session.value = next
    reason.value = next.reason
    hear(next.idle_remaining_ms, next.max_remaining_ms)
    phase.value = next.state
  }

  /** Leaves nothing of the last user in memory, drafts and all. */
  function startClean(): void {
    cover('checking')
    location.replace('/')
  }

  function cover(as: 'checking' | 'locked' | 'ended'): void {
    locks++
    if (as !== 'checking') locking = false
    phase.value = as
  }

  function end(why: SessionReason | null): void {
    if (!session.value) {
      phase.value = 'signed_out'
      return
    }
    if (phase.value !== 'ended' || why) reason.value = why
    cover('ended')
  }

  /** Hears of every refusal, whichever part of the page asked. */
  function refused(problem: Problem): void {
    if (phase.value !== 'active') return
    if (problem.status === 423) {
      cover('locked')
      reason.value = null
      void check()
    } else if (problem.status === 401) void coverAndCheck()
  }

  /** Asks, and believes the answer unless a lock was heard of meanwhile. */
  async function ask(request: () => Promise<Session>): Promise<void> {
    const before = locks
    const answer = await request()
    if (before === locks) adopt(answer)
    else await ask(present)
  }

  /**
   * Asks for the session. A refusal without a reason is asked about again: a
   * tab that unlocks gets a new cookie, and until its answer is there every
   * other request goes out with the dead one.
   */
  async function present(): Promise<Session> {
    await newCookie
    for (const waitMs of session.value ? COOKIE_UNDER_WAY_MS : []) {
      try {
        return await askOnce()
      } catch (error) {
        if (!isRefusal(error) || error.reason) throw error
        await new Promise((resolve) => setTimeout(resolve, waitMs))
      }
    }
    return askOnce()
  }

  /** A lock that failed is tried again: an answer that the session is active must not undo it. */
  const askOnce = () => (locking ? api.lock() : api.session())

  /** Asks the server how the session stands; nothing is extended by it. */
  function check(): Promise<void> {
    checkUnderWay ??= ask(present)
      .catch((error: unknown) => {
        if (isRefusal(error)) end(error.reason)
        // Also what a proxy answers for a server that is not there: to be asked again, then.
        else reachable.value = false
      })
      .finally(() => (checkUnderWay = null))
    return checkUnderWay
  }

  /** Covers the page until the server has said that it may be shown. */
  async function coverAndCheck(): Promise<void> {
    if (phase.value === 'active') cover('checking')
    await check()
  }

  /** Takes in what the stream says of the session. */
  function onLock(lock: Lock): void {
    if (lock.state === 'ended') return end(lock.reason)
    if (phase.value === 'ended' || phase.value === 'signed_out') return
    hear(lock.idle_remaining_ms, lock.max_remaining_ms)
    if (lock.state === 'locked') {
      cover('locked')
      reason.value = lock.reason
    } else if (covered.value) {
      // Shown again only by an answer to a question asked now: an event may be old.
      void check()
    }
  }

  async function signIn(username: string, password: string, code?: string): Promise<void> {
    adopt(await api.login(username, password, code))
  }

  /** @param prove makes the request whose answer carries the session's new cookie */
  async function unlockBy(prove: () => Promise<Session>): Promise<void> {
    const answer = prove()
    newCookie = answer.catch(() => null)
    try {
      adopt(await answer)
    } catch (error) {
      if (!isRefusal(error) || error.attemptsLeft !== null) throw error
      // Too many wrong ones, or another tab was faster and has the new cookie.
      await check()
      if (phase.value === 'locked') throw error
    }
  }

  const unlock = (password: string) => unlockBy(() => api.unlock(password))

  async function lock(): Promise<void> {
    // Covered first: a request that takes its time still hides the page at once.
    cover('checking')
    locking = true
    await ask(() => api.lock()).catch(() => check())
  }

  /** Ends the session here and on the server. */
  async function signOut(): Promise<void> {
    cover('checking')
    await api.logout().catch(async (error: unknown) => {
      // A session that is over already is as good as signed out.
      if (isRefusal(error)) return
      await check()
      throw error
    })
  }

  /** The user did something: said at most once in a while, or at once when `urgent`. */
  async function active(urgent = false): Promise<void> {
    if (phase.value !== 'active') return
    const everyMs = urgent ? 1_000 : Math.min(REPORT_AT_MOST_EVERY_MS, idleMs.value / 4)
    if (performance.now() - reportedAt < everyMs) return
    reportedAt = performance.now()
    // Not heard: the next input tries again. A refusal is dealt with in `refused`.
    await ask(() => api.activity()).catch(() => (reportedAt = -Infinity))
  }

  return {
    ...{ phase, session, reason, deadlines, idleMs, reachable, api, owner, covered, shutOut },
    ...{ adopt, startClean, present, check, coverAndCheck, onLock, end },
    ...{ signIn, unlock, unlockBy, lock, signOut, active },
  }
})
