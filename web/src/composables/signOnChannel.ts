/**
 * How the window that came back from the provider reaches the page that waits.
 * Not by `opener`: a provider may cut that, and our own policy does where the
 * window comes home. Only pages of this origin hear the channel.
 */

/** What the provider sent the browser back with; no code where it or the user declined. */
export interface SignOnReturn {
  state: string
  code: string | null
}

type Message = { back: SignOnReturn } | { taken: string }

const NAME = 'belfry-sign-on'
const TAKEN_WITHIN_MS = 500

/** Gives what came back to the page that waits for it. @returns whether one did */
export function handOver(back: SignOnReturn): Promise<boolean> {
  const channel = new BroadcastChannel(NAME)
  return new Promise((resolve) => {
    const finish = (taken: boolean) => {
      window.clearTimeout(timer)
      channel.close()
      resolve(taken)
    }
    const timer = window.setTimeout(() => finish(false), TAKEN_WITHIN_MS)
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ('taken' in data && data.taken === back.state) finish(true)
    }
    channel.postMessage({ back } satisfies Message)
  })
}

/**
 * Waits for the window that was sent away with this state, as long as it takes:
 * whether it still stands cannot be seen from here.
 * @param signal gives up; the promise then stays open
 */
export function comeBack(state: string, signal: AbortSignal): Promise<SignOnReturn> {
  if (signal.aborted) return new Promise(() => undefined)
  const channel = new BroadcastChannel(NAME)
  signal.addEventListener('abort', () => channel.close())
  return new Promise((resolve) => {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (!('back' in data) || data.back.state !== state) return
      channel.postMessage({ taken: state } satisfies Message)
      channel.close()
      resolve(data.back)
    }
  })
}
