import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const web = resolve(import.meta.dirname, '..')

/**
 * Packs the client as `npm pack` does: it is built in a folder of the sources, where two who pack
 * at once would get half of each other's.
 */
async function pack(dir: string): Promise<void> {
  const args = ['pack', '--json', '--pack-destination', dir]
  const { stdout } = await run('npm', args, { cwd: join(web, 'client') })
  // What is built before the packing prints as well.
  const [{ filename }] = JSON.parse(stdout.slice(stdout.lastIndexOf('\n['))) as [
    { filename: string },
  ]
  process.env.BELFRY_PACKED = join(dir, filename)
}

/** Builds the OpenID provider: linking it takes longer than many a test that needs one. */
async function buildProvider(dir: string): Promise<void> {
  const binary = join(dir, 'provider')
  const args = ['build', '-o', binary, './internal/testoidc/provider']
  await run('go', args, { cwd: resolve(web, '..') })
  process.env.BELFRY_PROVIDER = binary
}

/** Makes what tests share, before any of them; behind nginx none has a page of its own from the package. */
export default async function setUp(): Promise<() => void> {
  const dir = mkdtempSync(join(tmpdir(), 'belfry-made-'))
  const viaNginx = process.env.BELFRY_E2E_VIA === 'nginx'
  await Promise.all([buildProvider(dir), viaNginx ? null : pack(dir)])
  return () => rmSync(dir, { recursive: true })
}
