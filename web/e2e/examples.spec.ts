import type { Page } from '@playwright/test'
import type { Session } from '@client'
import { test, type Example } from './example'
import { expect, expectAccessible, PASSWORD, signIn } from './fixtures'
import type { Server } from './server'

/** Signs bob in at Belfry, then opens a page of the example. */
async function visit(page: Page, example: Example, path = ''): Promise<void> {
  await page.goto(example.belfry.url)
  await signIn(page, 'bob')
  await page.goto(example.url + path)
}

const status = (page: Page) => page.getByRole('status')

/** Locks bob's browser from another device of his. */
async function lockFrom(belfry: Server): Promise<void> {
  const other = await belfry.signIn('bob')
  const { items } = await other.call<{ items: Session[] }>('get', '/sessions')
  const browser = items.find(({ current, state }) => !current && state === 'active')
  await other.call('post', `/sessions/${browser?.id}/lock`)
}

/** Unlocks it as another page of Belfry in it would. */
async function unlock(page: Page, belfry: Server): Promise<void> {
  const answer = await page.request.post(`${belfry.url}/api/v1/session/unlock`, {
    data: { password: PASSWORD },
  })
  expect(answer.ok()).toBe(true)
}

test('a log grows word by word, ends, and is not asked for again', async ({ page, start }) => {
  const example = await start('log')
  const task = await (await example.belfry.signIn('ann')).beginTask('A text', 'bob')
  const answers: number[] = []
  page.on('response', (response) => {
    if (response.url().includes('/sse/tasks/')) answers.push(response.status())
  })
  await visit(page, example, `/?task=${task.id}`)
  await expect(status(page)).toHaveText('Running')
  const text = page.getByLabel('Text')
  for (const [word, so_far] of [
    ['The', 'The'],
    [' quick', 'The quick'],
    [' brown', 'The quick brown'],
  ] as const) {
    await task.write(word)
    await expect(text).toHaveText(so_far)
  }

  await lockFrom(example.belfry)
  await expect(status(page)).toHaveText('Locked')
  await expect(text).toBeHidden()
  await task.write(' fox\n')
  await unlock(page, example.belfry)
  await expect(text).toHaveText('The quick brown fox')

  // One that does not hang up at [DONE] comes back once, is told that there is no more, and gives up.
  await page.evaluate((url) => {
    const forgetful = new EventSource(url, { withCredentials: true })
    forgetful.onerror = () => {
      if (forgetful.readyState === EventSource.CLOSED) document.title = 'gave up'
    }
  }, `${example.belfry.url}/sse/tasks/${task.id}`)
  await task.finish('succeeded', 0)
  await expect(status(page)).toHaveText('Over: succeeded (0)')
  await expectAccessible(page)
  await expect(page).toHaveTitle('gave up')
  expect(answers).toEqual([200, 200, 204])
})

test('a Vue page on fetch-event-source: headers, resume, lock and the end', async ({
  page,
  start,
}) => {
  const example = await start('fetch-event-source')
  const { belfry } = example
  const ann = await belfry.signIn('ann')
  await ann.send('bob', 'Earlier')
  const places: string[] = []
  page.on('request', (request) => {
    if (request.url().endsWith('/sse/stream') && request.method() === 'GET')
      places.push(request.headers()['last-event-id'] ?? '')
  })
  const titles = () => page.getByRole('listitem').allTextContents()
  await visit(page, example)
  await expect(status(page)).toHaveText('Stream: live')
  places.splice(0, places.length - 1) // those of Belfry's own page
  await ann.send('bob', 'Now')
  await expect.poll(titles).toEqual(['Now', 'Earlier'])

  await belfry.stop()
  await expect(status(page)).toHaveText('Stream: not live')
  await belfry.start()
  await ann.send('bob', 'After')
  await expect.poll(titles).toEqual(['After', 'Now', 'Earlier'])
  const [first, again] = [places[0], places.at(-1)].map((place) => place!.split('-').map(Number))
  expect(again![1]).toBeGreaterThan(first![1]!)

  await lockFrom(belfry)
  await expect(status(page)).toHaveText('Stream: locked')
  expect(await titles()).toEqual([])
  await page.reload() // the inbox is refused, the stream is not
  await expect(status(page)).toHaveText('Stream: locked')
  await ann.send('bob', 'Meanwhile')
  await unlock(page, belfry)
  await expect.poll(titles).toEqual(['Meanwhile', 'After', 'Now', 'Earlier'])
  await expect(status(page)).toHaveText('Stream: live')

  await page.request.post(`${belfry.url}/api/v1/logout`)
  await expect(status(page)).toHaveText('Stream: signed out')
  await page.reload()
  await expect(status(page)).toHaveText('Stream: signed out')
  expect(await titles()).toEqual([])
  await expectAccessible(page)
})
