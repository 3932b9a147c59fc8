import type { Api } from '@client'

const AT_MOST = 6
const AGAIN_MS = 1_000

/**
 * Asks for the unread count where an event could not say it for each reader; once at a time.
 * @param take is given the count and its place in the log; false where that was too early
 */
export function recounter(api: Api, take: (unread: number, at: string) => boolean): () => void {
  let counting = false
  let wake = () => {}

  async function count(): Promise<void> {
    for (let tries = 0; tries < AT_MOST; tries++) {
      try {
        const { unread, cursor } = await api.notices({ limit: 1 })
        if (take(unread, cursor)) return
      } catch {
        // Ever later, for it is refused where there is too much to do; the next greeting brings it too.
        await new Promise<void>((resolve) => {
          wake = resolve
          setTimeout(resolve, AGAIN_MS * 2 ** tries)
        })
      }
    }
  }

  return () => {
    // What comes now is a reason to wait no longer.
    wake()
    if (counting) return
    counting = true
    void count().finally(() => (counting = false))
  }
}
