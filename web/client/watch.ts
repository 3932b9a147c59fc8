import type { TabEnvironment } from './environment'
import { HEARTBEAT_MS, MISSED_HEARTBEATS } from './heartbeat'

/** How long an owner may take to welcome a tab, and how often it is asked. */
const WELCOME_MS = 2_000
const WELCOME_TRIES = 5
/** How long an owner that was silent may take to answer: one that beats, and one that need not. */
const ANSWER_MS = { beats: 300, heartbeats: 2_000 }

interface Alarms {
  /** It was silent for too long: what the page shows may be old. */
  silent(): void
  ask(): void
  joinAgain(): void
  /** It does not answer. */
  dead(): void
}

/** Watches whether the owner of a tab's stream lives. */
export class OwnerWatch {
  heartbeatMs = HEARTBEAT_MS
  /** How often an owner beats that does; null: the server's heartbeats are passed on. */
  patienceMs: number | null = null
  /** When it was last heard, by the wall clock. */
  heardAt = 0
  private readonly env: TabEnvironment
  private readonly alarms: Alarms
  private tries = 0
  private cancel = () => {}

  constructor(env: TabEnvironment, alarms: Alarms) {
    this.env = env
    this.alarms = alarms
  }

  /** The owner said something. */
  heard(): void {
    this.tries = 0
    this.heardAt = this.env.now()
    const beats = this.patienceMs !== null
    this.after(this.patienceMs ?? this.heartbeatMs * MISSED_HEARTBEATS, () => {
      if (!beats) this.alarms.silent()
      this.alarms.ask()
      this.after(beats ? ANSWER_MS.beats : ANSWER_MS.heartbeats, () => this.giveUp())
    })
  }

  /** The tab has asked to join. */
  joining(): void {
    this.after(WELCOME_MS, () => {
      if (++this.tries < WELCOME_TRIES) this.alarms.joinAgain()
      else this.giveUp()
    })
  }

  stop(): void {
    this.cancel()
  }

  private giveUp(): void {
    this.tries = 0
    this.alarms.silent()
    this.alarms.dead()
  }

  private after(ms: number, run: () => void): void {
    this.cancel()
    this.cancel = this.env.after(ms, run)
  }
}
