import { Problem, type SettledUser } from '@client'
import type { AdminApi } from '@client/admin'
import { computed, onUnmounted, reactive, ref, shallowReactive, shallowRef } from 'vue'
import { useAdminApi } from './useAdminApi'
import { readPeople, type PeopleTable, type Person, type TableFault } from './peopleTable'

/** More is for `belfry user import`: each line is a request. */
const MOST_BYTES = 4 << 20

/** What is wrong with a file, of which nothing was read. */
export type FileFault = TableFault | { kind: 'large' | 'text'; about: string }

/** A line of the table, and what came of it. */
export interface ImportLine extends Person {
  /** Null until the server was asked, or it is known without asking. */
  result: SettledUser['result'] | 'refused' | null
  changes: SettledUser['changes']
  /** Why the server refused it. */
  cause: Problem | null
  /** Whether they need a link to set a password. */
  bare: boolean
  link: string
}

type Counts = Record<NonNullable<ImportLine['result']>, number>
const none = (): Counts => ({ added: 0, changed: 0, unchanged: 0, refused: 0 })

/** What is wrong with one line keeps no other back; what stands in the way of all is thrown. */
const isRefusal = (error: unknown): error is Problem =>
  error instanceof Problem && (error.code === 'invalid' || error.code === 'conflict')

/** Asks for one line to be done, or only tried. */
async function settle(api: AdminApi, line: ImportLine, real: boolean): Promise<void> {
  if (line.fault) return void (line.result = 'refused')
  try {
    const settled = await api.settleUser(line.username, line.want, !real)
    line.changes = settled.changes
    line.bare = !settled.user.has_password && !settled.user.disabled
    line.result = settled.result
  } catch (error) {
    if (!isRefusal(error)) throw error
    line.cause = error
    line.result = 'refused'
  }
}

/** Makes links one by one, as long as there is somebody to have them. */
async function link(api: AdminApi, lines: readonly ImportLine[], going: () => boolean) {
  for (const line of lines) {
    if (!going()) return
    line.link = (await api.createResetLink(line.username)).url
  }
}

const lineOf = (person: Person): ImportLine =>
  shallowReactive({ ...person, result: null, changes: [], cause: null, bare: false, link: '' })

/**
 * Takes people from a table, first as a trial, then for good. Each line is a request of its own, all
 * of it or nothing, so whatever stops it, it goes on where it stopped or is done again.
 */
export function useUserImport() {
  const api = useAdminApi()
  const lines = shallowRef<ImportLine[]>([])
  const unknown = shallowRef<string[]>([])
  const fault = shallowRef<FileFault | null>(null)
  /** For good, not as a trial. */
  const real = ref(false)
  const running = ref(false)
  const done = ref(0)
  const counts = reactive(none())
  const finished = computed(() => lines.value.length > 0 && done.value === lines.value.length)
  /** Counts the files and runs, so that what an earlier one still does is dropped. */
  let turn = 0

  function forget(next = false): void {
    turn++
    real.value = next
    running.value = false
    done.value = 0
    Object.assign(counts, none())
  }

  async function take(file: File): Promise<void> {
    forget()
    const mine = turn
    lines.value = []
    const table = await tableOf(file)
    if (mine !== turn) return
    fault.value = table.fault
    unknown.value = table.unknown
    lines.value = table.people.map(lineOf)
  }

  /** Asks line by line, from where it stopped. */
  async function run(): Promise<void> {
    const mine = ++turn
    running.value = true
    try {
      for (const line of lines.value.slice(done.value)) {
        await settle(api, line, real.value)
        if (mine !== turn) return
        done.value++
        if (line.result) counts[line.result]++
      }
    } finally {
      if (mine === turn) running.value = false
    }
  }

  /** Does what was tried. */
  async function commit(): Promise<void> {
    if (!real.value) {
      forget(true)
      for (const line of lines.value) Object.assign(line, { result: null, cause: null })
    }
    await run()
  }

  const bare = computed(() => lines.value.filter((line) => line.bare && !line.link))

  /** Makes a link for each who has no password; those that are made stay. */
  function makeLinks(): Promise<void> {
    const mine = turn
    return link(api, bare.value, () => mine === turn)
  }

  onUnmounted(() => forget())
  return {
    ...{ lines, unknown, fault, real, running, done, finished, counts, bare },
    ...{ take, run, commit, makeLinks },
  }
}

const unread = (kind: FileFault['kind']) => ({
  people: [],
  unknown: [],
  fault: { kind, about: '' },
})

async function tableOf(file: File): Promise<PeopleTable | ReturnType<typeof unread>> {
  if (file.size > MOST_BYTES) return unread('large')
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
    return text.includes('\0') ? unread('text') : readPeople(text)
  } catch {
    return unread('text')
  }
}
