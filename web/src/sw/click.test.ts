// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

interface Page {
  postMessage: ReturnType<typeof vi.fn>
  focus: () => Promise<unknown>
}

/** The worker's global scope, with the pages that are open, the one looked at last first. */
function scope(pages: Page[]) {
  const listeners = new Map<string, (event: unknown) => void>()
  const openWindow = vi.fn(async () => null)
  vi.stubGlobal('self', {
    addEventListener: (type: string, run: (event: unknown) => void) => listeners.set(type, run),
    clients: { matchAll: async () => pages, openWindow },
  })
  const close = vi.fn()
  /** A click, and all that it leads to. */
  async function click(id: number | null): Promise<void> {
    let done: Promise<unknown> = Promise.resolve()
    const waitUntil = (work: Promise<unknown>) => (done = work)
    listeners.get('notificationclick')?.({ notification: { data: { id }, close }, waitUntil })
    await done
  }
  return { click, close, openWindow }
}

const page = (focus = vi.fn(async () => null)) => ({ postMessage: vi.fn(), focus })

beforeEach(() => vi.resetModules())
afterEach(() => vi.unstubAllGlobals())

describe('a click on a notification', () => {
  it.each([
    [7, '/inbox/7'],
    [null, '/'],
  ])('of notice %s opens %s where no page is open', async (id, path) => {
    const { click, close, openWindow } = scope([])
    await import('./worker')
    await click(id)
    expect(openWindow.mock.calls).toEqual([[path]])
    expect(close).toHaveBeenCalledOnce()
  })

  it.each([[7], [null]])('leads the page that was looked at last to notice %s', async (id) => {
    const [last, other] = [page(), page()]
    const { click, openWindow } = scope([last, other])
    await import('./worker')
    await click(id)
    expect(last.postMessage.mock.calls).toEqual([[{ type: 'open', id }]])
    expect(last.focus).toHaveBeenCalledOnce()
    expect(other.postMessage).not.toHaveBeenCalled()
    expect(other.focus).not.toHaveBeenCalled()
    expect(openWindow).not.toHaveBeenCalled()
  })

  it('leads it there though the browser does not bring it to the front', async () => {
    const refusing = page(vi.fn(() => Promise.reject(new Error('not allowed'))))
    const { click } = scope([refusing])
    await import('./worker')
    await click(7)
    expect(refusing.postMessage).toHaveBeenCalledOnce()
  })
})
