import type { Page } from '@playwright/test'
import { dice, type Dice } from './dice'
import { expect, pill, test, visitAs } from './fixtures'
import type { Device, Server } from './server'

const STEPS = 500
/** The same each time, so that what fails was broken by a change; SEED=n looks elsewhere. */
const SEED = Number(process.env.SEED ?? 1)

type Roll = Dice['below']

interface Listed {
  items: { id: number; read_at: string | null }[]
  unread: number
}

/** What is unread by the tables alone, as plainly as it can be asked: none of the server's own ways to know it. */
const UNREAD_OF_BOB = `
  SELECT count(*) FROM entries e, users u
  WHERE u.username = 'bob' AND e.kind = 'notice' AND e.audiences = 'user:' || u.id AND e.withdrawn_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM entries newer WHERE newer.kind = 'notice' AND newer.collapse_key = e.collapse_key
      AND newer.collapse_key <> '' AND newer.log_offset > e.log_offset)
    AND NOT EXISTS (SELECT 1 FROM notice_states s WHERE s.user_id = u.id AND s.notice_id = e.subject
      AND (s.read_at IS NOT NULL OR s.archived_at IS NOT NULL OR s.snoozed_until > (julianday('now') - 2440587.5) * 86400000))`

/** Presses a button of a row on show. @returns whether there is one */
function press(page: Page, name: RegExp, nth: number): Promise<boolean> {
  return page.evaluate(
    ([source, n]) => {
      const wanted = new RegExp(source)
      const buttons = [...document.querySelectorAll<HTMLElement>('[data-testid=list] li button')]
      const fitting = buttons.filter((one) => wanted.test(one.getAttribute('aria-label') ?? ''))
      fitting[n % Math.max(1, fitting.length)]?.click()
      return fitting.length > 0
    },
    [name.source, nth] as const,
  )
}

async function snooze(page: Page, roll: Roll): Promise<void> {
  if (roll(3) > 0) {
    if (!(await press(page, /^Snooze$/, roll(50)))) return
    const item = page.getByRole('menuitem', { name: 'Tomorrow' })
    await item.click({ timeout: 500 }).catch(() => undefined)
    return
  }
  // Until very soon: what the menu does not offer, and what ends while this runs.
  await page.evaluate(
    async ([n, ms]) => {
      const rows = [...document.querySelectorAll<HTMLElement>('[data-notice]')]
      const id = Number(rows[n % Math.max(1, rows.length)]?.dataset.notice)
      const body = { ids: [id], snoozed_until: new Date(Date.now() + ms).toISOString() }
      await fetch('/api/v1/notices/state', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }).catch(() => undefined)
    },
    [roll(50), 500 + roll(4_000)] as const,
  )
}

const show = (page: Page, view: string) =>
  page.getByRole('group', { name: 'Show' }).getByRole('button', { name: view, exact: true }).click()

async function step(server: Server, ann: Device, pages: Page[], sent: number[], roll: Roll) {
  const page = pages[roll(pages.length)]!
  const toss = roll(1_000)
  if (toss < 260) {
    const more = roll(6) === 0 ? { collapse_key: `key ${roll(3)}` } : {}
    sent.push(await ann.send('bob', `Number ${sent.length}`, more))
  } else if (toss < 400) await press(page, /^Mark read$/, roll(50))
  else if (toss < 500) await press(page, /^Mark unread$/, roll(50))
  else if (toss < 640) await press(page, /^(Archive|Move to inbox)$/, roll(50))
  else if (toss < 720) await snooze(page, roll)
  else if (toss < 800) {
    const id = sent[roll(sent.length)]
    if (id) await ann.call('delete', `/notices/${id}`)
  } else if (toss < 860) await page.context().setOffline(true)
  else if (toss < 950) await page.context().setOffline(false)
  else if (toss < 985) await show(page, ['Inbox', 'Unread', 'Snoozed', 'Archived', 'All'][roll(5)]!)
  else if (toss < 996) {
    await page.context().setOffline(false)
    await page.reload()
  } else if (toss < 998) {
    await server.stop('SIGKILL')
    await server.start()
  } else
    await page
      .getByRole('button', { name: 'Mark all read' })
      .click({ timeout: 300, force: true })
      .catch(() => undefined)
}

/** What a device shows, in the words of the interface. */
const shown = (page: Page) =>
  page.evaluate(() => ({
    items: [...document.querySelectorAll<HTMLElement>('[data-testid=list] [data-notice]')].map(
      (row) => `${row.dataset.notice} ${row.innerText.includes('Unread') ? 'unread' : 'read'}`,
    ),
    badge: Number(/^\((\d+)\)/.exec(document.title)?.[1] ?? 0),
  }))

test(`three devices agree with the database after ${STEPS} steps`, async ({ browser, server }) => {
  test.setTimeout(300_000)
  console.log(`SEED=${SEED}`)
  const roll = dice(SEED).below
  const ann = await server.signIn('ann')
  const pages = await Promise.all([0, 1, 2].map(() => visitAs(browser, server, 'bob')))
  const bob = await server.signIn('bob')
  const sent: number[] = []
  for (let n = 0; n < 20; n++) sent.push(await ann.send('bob', `First ${n}`))

  const began = Date.now()
  for (let n = 0; n < STEPS; n++) await step(server, ann, pages, sent, roll)
  console.log(`${STEPS} steps in ${Date.now() - began} ms`)

  for (const page of pages) {
    await page.context().setOffline(false)
    await expect(pill(page)).toContainText('Live', { timeout: 35_000 })
    await show(page, 'Inbox')
    // Rows in sight are rows that can be compared: all of them.
    await page.setViewportSize({ width: 1280, height: 9_000 })
  }
  // Once the last of the short snoozes is over.
  await expect
    .poll(async () => {
      const { items } = await bob.call<{ items: { snoozed_until: string }[] }>(
        'get',
        '/notices?state=snoozed&limit=200',
      )
      return items.filter(({ snoozed_until: until }) => Date.parse(until) < Date.now() + 60_000)
        .length
    })
    .toBe(0)
  const inbox = await bob.call<Listed>('get', '/notices?limit=200')
  expect(inbox.unread, 'the count of the interface').toBe(Number(server.sql(UNREAD_OF_BOB)))
  const wanted = {
    items: inbox.items.map(({ id, read_at }) => `${id} ${read_at ? 'read' : 'unread'}`),
    badge: inbox.unread,
  }
  for (const [n, page] of pages.entries()) {
    await expect.poll(() => shown(page), `device ${n}`).toEqual(wanted)
  }
  console.log(`${sent.length} sent, ${inbox.items.length} in the inbox, ${inbox.unread} unread`)
})
