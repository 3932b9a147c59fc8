import { readdirSync, readFileSync } from 'node:fs'
import { chromium, type BrowserServer } from '@playwright/test'
import { expect, lockField, row, test, unlock, visitAs } from './fixtures'
import { shown } from './traps-page'

/** A process and all that it has started. */
function family(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number)
  return [pid, ...children.flatMap(family)]
}

function parentOf(pid: string): number | null {
  try {
    // "PID (name) state PPID …", and the name may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)
    return Number(fields?.split(' ')[1])
  } catch {
    return null // it has ended meanwhile
  }
}

function signal(browser: BrowserServer, name: NodeJS.Signals): void {
  const pid = browser.process().pid
  if (!pid) throw new Error('the browser has no process')
  for (const each of family(pid)) process.kill(each, name)
}

test.describe('with eight seconds', () => {
  test.use({ settings: { SESSION_IDLE: '8s', HEARTBEAT: '500ms' } })

  // Security: L7
  test('a browser that slept past the lock shows nothing and extends nothing', async ({
    server,
    launchOptions,
  }) => {
    await (await server.signIn('ann')).send('bob', 'For my eyes')
    const running = await chromium.launchServer(launchOptions)
    try {
      const browser = await chromium.connect(running.wsEndpoint())
      const bob = await visitAs(browser, server, 'bob', { ignoreHTTPSErrors: true })
      await expect(row(bob, 'For my eyes')).toBeVisible()
      const other = await server.signIn('bob')
      const own = async () => {
        await other.call('post', '/session/activity') // it would fall idle itself
        type Devices = { items: { state: string; current: boolean }[] }
        const { items } = await other.call<Devices>('get', '/sessions')
        return items.find(({ current }) => !current)?.state
      }
      // Each picture that is drawn, and whether it shows the page.
      await bob.evaluate(() => {
        window.pictures = []
        window.turns = []
        setInterval(() => window.turns.push(Date.now()), 10)
        const note = () => {
          const header = document.querySelector('[data-testid=connection]')
          const seen = header?.checkVisibility({ visibilityProperty: true }) ?? false
          window.pictures.push({ at: Date.now(), seen })
          requestAnimationFrame(note)
        }
        note()
      })
      signal(running, 'SIGSTOP')
      // What somebody does before the lid is shut, and what waits for it to open.
      const input = [bob.mouse.move(50, 50), bob.mouse.move(90, 90), bob.keyboard.press('Shift')]
      const quiet = input.map((each) => each.catch(() => null))
      await expect.poll(own, { timeout: 20_000 }).toBe('locked')
      const woke = Date.now()
      signal(running, 'SIGCONT')
      await Promise.all(quiet)
      await expect(lockField(bob)).toBeVisible()
      expect(await shown(bob)).toBe(false)
      expect(await own(), 'what was typed in sleep').toBe('locked')
      const { pictures, turns } = await bob.evaluate(() => ({
        pictures: window.pictures,
        turns: window.turns,
      }))
      const late = pictures.filter(({ at, seen }) => at >= woke && seen)
      // Before the browser gives the page's timers their turn, no script of its can do anything.
      const turn = turns.find((at) => at >= woke) ?? Infinity
      console.log(
        `${late.length} pictures of the page after waking, the last ${(late.at(-1)?.at ?? woke) - woke} ms after`,
      )
      expect(turn).toBeLessThan(Infinity)
      const after = late.filter(({ at }) => at > turn)
      expect(after.length, 'pictures of the page after its first turn').toBeLessThanOrEqual(2)
      await unlock(bob)
      await expect(row(bob, 'For my eyes')).toBeVisible()
    } finally {
      signal(running, 'SIGCONT')
      await running.close()
    }
  })
})
