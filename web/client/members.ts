import type { Environment } from './environment'
import { Problem } from './problem'
import { openAnswer } from './protocol'
import type { Answer, FromOwner, Joining, Look, Question } from './protocol'
import type { Session, StreamTicket } from './types'

/** How long a tab may take to find out what only it can. */
const ANSWER_MS = 10_000
const PING_EVERY_MS = 30_000
const MISSED_PINGS = 2

interface Member {
  look: Look
  online: boolean
  /** It did not do what it was asked. */
  silent: boolean
  missedPings: number
}

interface MembersOptions {
  after: Environment['after']
  send: (message: FromOwner, tab: string) => void
  /** A tab that does not answer any more was given up. */
  lost: (tab: string) => void
}

/** The tabs that listen, the one to turn to first. */
export class Members {
  private readonly options: MembersOptions
  private readonly members = new Map<string, Member>()
  private readonly questions = new Map<
    number,
    { tab: string; settle: (answer: Answer | null) => void }
  >()
  private asked = 0
  private cancelPing = () => {}

  constructor(options: MembersOptions) {
    this.options = options
  }

  get size(): number {
    return this.members.size
  }

  /** Whether the browser has a network, as far as anyone here knows. */
  get online(): boolean {
    return [...this.members.values()].some(({ online }) => online)
  }

  add(tab: string, { look, online }: Joining): void {
    if (this.members.size === 0) this.ping()
    this.members.set(tab, { look, online, silent: false, missedPings: 0 })
  }

  /** Notes that a tab lives. @returns false where it has not joined */
  heard(tab: string, now: Partial<Pick<Member, 'look' | 'online'>> = {}): boolean {
    const member = this.members.get(tab)
    if (!member) return false
    Object.assign(member, now, { silent: false, missedPings: 0 })
    return true
  }

  delete(tab: string): void {
    this.members.delete(tab)
    for (const { tab: asked, settle } of this.questions.values()) if (asked === tab) settle(null)
    if (this.members.size === 0) this.clear()
  }

  clear(): void {
    this.members.clear()
    this.cancelPing()
    for (const { settle } of this.questions.values()) settle(null)
  }

  keptSilent(tab: string): void {
    const member = this.members.get(tab)
    if (member) member.silent = true
  }

  /** A tab that somebody sees before others, then the one used last; one that kept silent at the end. */
  preferred(): string[] {
    const rank = ({ silent, look }: Member) => (silent ? 0 : look.visible ? 2 : 1)
    return [...this.members]
      .sort(([, a], [, b]) => rank(b) - rank(a) || b.look.usedAt - a.look.usedAt)
      .map(([tab]) => tab)
  }

  /** Has a tab find something out, and the next one where it cannot say. */
  async ask<T extends Session | StreamTicket>(kind: Question): Promise<T> {
    for (const tab of this.preferred()) {
      const answer = this.members.has(tab) ? await this.askOne(tab, kind) : null
      if (answer) return openAnswer(answer)
    }
    throw Problem.network()
  }

  answered(question: number, answer: Answer): void {
    this.questions.get(question)?.settle(answer)
  }

  private askOne(tab: string, kind: Question): Promise<Answer | null> {
    const question = ++this.asked
    return new Promise<Answer | null>((resolve) => {
      const cancel = this.options.after(ANSWER_MS, () => {
        this.keptSilent(tab)
        resolve(null)
      })
      const settle = (answer: Answer | null) => {
        cancel()
        resolve(answer)
      }
      this.questions.set(question, { tab, settle })
      this.options.send({ type: 'question', question, kind }, tab)
    }).finally(() => this.questions.delete(question))
  }

  /** Gives up the tabs that are gone without a word, or stand still: those come back when they can. */
  private ping(): void {
    this.cancelPing = this.options.after(PING_EVERY_MS, () => {
      for (const [tab, member] of [...this.members]) {
        if (member.missedPings++ >= MISSED_PINGS) this.options.lost(tab)
        else this.options.send({ type: 'ping' }, tab)
      }
      if (this.members.size > 0) this.ping()
    })
  }
}
