import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, observe, row, signIn, test, toast } from './fixtures'
import { freePort } from './ports'
import { Running } from './process'

const top = resolve(import.meta.dirname, '../..')

/** What a chapter of the README has one type, a block each. */
function commands(chapter: string): string[] {
  const text = readFileSync(join(top, 'README.md'), 'utf8').split(`\n## ${chapter}\n`)[1]!
  const blocks = text.split('\n## ')[0]!.match(/(?:^ {4}.*\n)+/gm) ?? []
  return blocks.map((block) => block.replace(/^ {4}/gm, '').trim())
}

test('from a clean start to a pop-up, by the three commands of the README', async ({ page }) => {
  const [start, ring, soon] = commands('Run it')
  expect(start).toBe('make run')
  const [given, send, ...more] = ring!.split(/\n(?=\S)/)
  expect(more).toEqual([])
  // What it would build is built; the last thing that it does is run it.
  const dry = execFileSync('make', ['--dry-run', '--no-print-directory', 'run'], { cwd: top })
  const run = dry.toString().trim().split('\n').at(-1)!

  const dir = mkdtempSync(join(tmpdir(), 'belfry-readme-'))
  const port = await freePort()
  const env = {
    ...{ PATH: process.env.PATH, HOME: dir, BELFRY_LISTEN: `127.0.0.1:${port}` },
    BELFRY_DATABASE_URL: `sqlite:${dir}/data/belfry.db`,
  }
  // As it is run to see the lock soon, which is long enough for the rest.
  expect(soon).toMatch(/^BELFRY_SESSION_IDLE=\d+s make run$/)
  const demo = new Running('bash', ['-c', soon!.replace('make run', `exec ${run}`)], env, top)
  try {
    const [, password] = await demo.says(/^anna +(\S+) +user$/m)
    const [, line, url, key] = await demo.says(/^ +(export BELFRY_URL=(\S+) BELFRY_KEY=(\S+))$/m)
    expect(line!.replace(`:${port} `, ':8080 ').replace(key!, 'bfk_…')).toBe(given)
    await demo.answers(`${url}/readyz`, 200)
    await page.addInitScript(observe)
    await page.goto(url!)
    await signIn(page, 'anna', password)
    const session = await page.request.get(`${url}/api/v1/session`)
    const { idle_remaining_ms } = (await session.json()) as { idle_remaining_ms: number }
    expect(idle_remaining_ms).toBeLessThanOrEqual(1_000 * parseInt(soon!.split('=')[1]!, 10))

    const answer = execFileSync('bash', ['-ec', `${line}\n${send}`], { stdio: 'pipe' })
    expect(JSON.parse(answer.toString())).toHaveProperty('id')
    await expect(toast(page)).toContainText('Hello from curl')
    await expect(row(page, 'Hello from curl')).toBeVisible()
    const popups = () => page.evaluate(() => window.popups.map(({ title }) => title))
    await expect.poll(popups).toEqual(['Hello from curl'])
  } finally {
    await demo.stop('SIGKILL')
    rmSync(dir, { recursive: true })
  }
})
