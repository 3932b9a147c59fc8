import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { LogParser, type Row } from '@/log/parser'
import { firstLine } from '@/log/window'
import { useTaskLog } from './taskLog'

/** What is read and searched at a time: the page stays quick in between. */
const STEP = 512 << 10
/** So many lines are remembered, the newest; more are only counted. */
const MOST_FOUND = 100_000
/** How soon what was added meanwhile is searched as well. */
const LATER_MS = 1_000

/** Finds a text as it is written, in capitals or not. */
export function patternOf(text: string): RegExp | null {
  return text ? new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'giu') : null
}

export const textOf = (row: Row) => row.spans.map(({ text }) => text).join('')

/** Searches a whole log, from its newest line to its oldest, and then what is added. */
export const useLogSearch = defineStore('logSearch', () => {
  const log = useTaskLog()
  const query = ref('')
  /** Where the lines begin that have it, newest first. */
  const found = shallowRef<number[]>([])
  const count = ref(0)
  /** Which of them is shown, by its place in `found`; -1 where none is. */
  const current = ref(-1)
  /** How much of the log was searched, 0 to 1. */
  const share = ref(1)
  const failed = ref(false)
  const pattern = computed(() => patternOf(query.value))
  /** The row that is shown of those found. */
  const at = computed(() => found.value[current.value] ?? null)
  /** Counts the searches: what an earlier one finds is dropped. */
  let turn = 0
  /** Up to here it was searched; a row begins there. */
  let upTo = 0
  let timer = 0

  /** Ends the search, and forgets what was found; not what was asked for. */
  function putAway(): void {
    turn++
    window.clearTimeout(timer)
    found.value = []
    count.value = 0
    current.value = -1
    share.value = 1
    failed.value = false
  }

  /** @param moving whether the nearest line that is found is shown, or its reader stays where they are */
  async function search(text = query.value, moving = true): Promise<void> {
    putAway()
    query.value = text
    const [mine, wanted] = [turn, pattern.value]
    if (!wanted || !log.log) return
    try {
      share.value = 0
      const end = (upTo = log.end)
      for (let before = end; before > 0 && mine === turn;) {
        before = await back(wanted, before, moving)
        if (mine === turn) share.value = 1 - before / end
      }
      if (mine !== turn) return
      share.value = 1
      if (current.value === -1) await show(0, moving)
      timer = window.setTimeout(() => void goOn(mine), LATER_MS)
    } catch {
      if (mine === turn) failed.value = true
    }
  }

  /** Searches the stretch that ends at a place. @returns where it begins */
  async function back(wanted: RegExp, end: number, moving: boolean): Promise<number> {
    const mine = turn
    const from = Math.max(0, end - STEP)
    const { bytes } = await log.read(from, end - from)
    const skipped = firstLine(bytes, from)
    const rows = rowsOf(bytes.subarray(skipped), from + skipped)
    if (mine !== turn) return 0
    const lines = matching(rows, wanted).reverse()
    const kept = found.value.length
    if (lines.length > 0) {
      found.value = [...found.value, ...lines.slice(0, MOST_FOUND - kept)]
      count.value += lines.length
    }
    // The newest that is not after what the reader looks at.
    if (current.value === -1) {
      const place = log.following ? Infinity : log.here().at
      const nearest = found.value.findIndex((line) => line <= place)
      if (nearest !== -1) await show(nearest, moving)
    }
    return from + skipped
  }

  /** Searches what was added since. Its last line may not be whole, and waits. */
  async function goOn(mine: number): Promise<void> {
    const wanted = pattern.value
    if (wanted && mine === turn && log.end > upTo) {
      const { bytes } = await log.read(upTo, STEP).catch(() => ({ bytes: new Uint8Array() }))
      if (mine !== turn) return
      const parser = new LogParser(upTo)
      const rows = parser.push(bytes)
      const last = log.ended ? parser.open() : null
      const lines = matching(last ? [...rows, last] : rows, wanted)
      if (lines.length > 0) {
        found.value = [...lines.reverse(), ...found.value].slice(0, MOST_FOUND)
        count.value += lines.length
        if (current.value !== -1) current.value += lines.length
        else current.value = 0
      }
      upTo = last ? parser.end : (rows.at(-1)?.end ?? upTo)
    }
    if (mine === turn) timer = window.setTimeout(() => void goOn(mine), LATER_MS)
  }

  async function show(index: number, moving = true): Promise<void> {
    const line = found.value[index]
    if (line === undefined) return
    current.value = index
    if (moving) await log.goTo(line)
  }

  /** Shows the next one down (1) or up (-1), round and round. */
  function step(by: 1 | -1): Promise<void> {
    const all = found.value.length
    return all === 0 ? Promise.resolve() : show((current.value - by + all) % all)
  }

  return {
    ...{ query, found, count, current, share, failed, pattern, at },
    ...{ search, step, putAway },
  }
})

/** The rows of a stretch that ends where a row does. */
function rowsOf(bytes: Uint8Array, at: number): Row[] {
  const parser = new LogParser(at)
  const rows = parser.push(bytes)
  const rest = parser.open()
  return rest ? [...rows, rest] : rows
}

/** Where the rows begin that have a text. */
function matching(rows: readonly Row[], wanted: RegExp): number[] {
  return rows.filter((row) => textOf(row).search(wanted) !== -1).map(({ at }) => at)
}
