import { Problem } from './problem'
import type { StreamTicket } from './types'

/** Which share of its life a ticket is used for: the rest is for the way to the server. */
const USED_SHARE = 0.75

/** Holds a ticket for as long as it opens streams, and has another one minted after that. */
export class TicketHolder {
  private readonly mint: () => Promise<StreamTicket>
  private readonly now: () => number
  private token: string | null = null
  private usedUntil = 0

  /** @param now milliseconds of a clock that runs on while the machine sleeps */
  constructor(mint: () => Promise<StreamTicket>, now: () => number) {
    this.mint = mint
    this.now = now
  }

  /** Rejects as `mint` does. */
  async get(): Promise<string> {
    if (this.token !== null && this.now() < this.usedUntil) return this.token
    const { token, expires_in_ms } = await this.mint()
    this.token = token
    this.usedUntil = this.now() + expires_in_ms * USED_SHARE
    return token
  }

  /** The server has refused it, or may do so the next time. */
  drop(): void {
    this.token = null
  }
}

/**
 * Has tickets minted by the page's own server.
 * @param url answers a POST, with the page's cookies, with what Belfry answered it: `{token,
 * expires_in_ms}`; with 401 or 403 where there is nobody to mint one for
 * @returns what {@link StreamOptions.ticket} takes; rejects with a {@link Problem}
 */
export function ticketFrom(url: string): () => Promise<StreamTicket> {
  return async () => {
    const init: RequestInit = { method: 'POST', credentials: 'include', cache: 'no-store' }
    const response = await fetch(url, init).catch(() => null)
    if (!response) throw Problem.network()
    if (!response.ok) throw await Problem.from(response)
    return (await response.json()) as StreamTicket
  }
}

/** Whether whoever mints says that there is nobody to mint for, and not only that it cannot now. */
export const nobodyToMintFor = (error: unknown) =>
  error instanceof Problem && (error.status === 401 || error.status === 403)
